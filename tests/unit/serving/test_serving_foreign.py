"""Rows that another server has answered: its scores, its versions, our shadows."""

from __future__ import annotations

import datetime as dt

import msgspec
import numpy as np
import pytest

from streams.contracts.records import Canary, Deployment, Prediction, Slot
from streams.dialects.base import Limits, answered_type
from streams.inference.session import Scorer, load
from streams.inference.store import BundleStore
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import read_watermark
from streams.serving.board import Board
from streams.serving.config import ServingConfig
from streams.serving.foreign import Versions
from streams.serving.progress import Progress
from streams.serving.reading import AnsweredDialect
from streams.serving.slots import Slots
from streams.serving.task import Places, ServingTask
from streams.transport.records import Record
from tests.kit.bundles import SCHEMA, START_MS, make_bundle, rows_of

ROWS = rows_of(50, seed=4)
ANSWERED = answered_type(SCHEMA, Limits())


class StillClock:
    """A wall clock that stands still."""

    def now(self) -> dt.datetime:
        return dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture(scope="module")
def scorers(tmp_path_factory: pytest.TempPathFactory) -> list[Scorer]:
    root = tmp_path_factory.mktemp("foreign") / "registry"
    return [load(BundleStore(root), "toys", make_bundle(root, seed=seed)) for seed in range(3)]


class Bed:
    """A task that reads answered requests, with two generations: the second from 1 s on."""

    def __init__(self, scorers: list[Scorer], named: dict[str, str], canary: Canary | None = None) -> None:
        progress = Progress([0, 1], lateness_ms=10, idle_after_ms=5_000, every_ms=1_000)
        self.board = Board(
            schema=SCHEMA, config=ServingConfig(shadow_patience_ms=60_000), slots=Slots(), progress=progress, replay=False
        )
        self.task = ServingTask(
            0,
            places=Places("toys", "toys.predictions", Versions(named)),
            dialect=AnsweredDialect(SCHEMA),
            board=self.board,
            clock=StillClock(),
            telemetry=Telemetry(["toys"]),
        )
        self.task.restore(None)
        old, new, beside = (scorer.digest for scorer in scorers)
        first = (Slot(name="champion", digest=old), Slot(name="challenger", digest=new))
        second = (Slot(name="champion", digest=new), Slot(name="previous", digest=old), Slot(name="other", digest=beside))
        for generation, active, effective_ms in ((1, first, 0), (2, second, START_MS + 1_000)):
            self.board.slots.learn(
                Deployment(
                    model="toys", generation=generation, active=active, effective_ms=effective_ms, reason="", canary=canary
                )
            )
        for scorer in scorers:
            self.board.accept(scorer)

    async def predictions(self, *records: Record) -> list[Prediction]:
        result = await self.task.process(records, rebuilding=False)
        self.task.close()
        assert result.consumed == len(records)
        data = [one for one in result.outputs if read_watermark(one.key, one.headers) is None and not one.headers]
        return [msgspec.json.decode(one.value or b"", type=Prediction) for one in data]


def answered(number: int, score: float, version: str | None, after_ms: int = 0) -> Record:
    features = {name: values[number] for name, values in ROWS.items()}
    plain = {
        "id": f"r{number}", "time_ms": START_MS + after_ms, "features": features, "partition": 7, "offset": 100 + number,
        "score": score, "version": version,
    }  # fmt: skip
    return Record("driftwake.toys.answered", 0, number, b"k", msgspec.json.encode(plain), (), START_MS)


async def test_the_score_is_the_server_s_and_the_place_is_the_request_s(scorers: list[Scorer]) -> None:
    found = await Bed(scorers, {}).predictions(answered(1, 0.125, None), answered(2, 0.25, None, after_ms=1_000))
    assert [(one.partition, one.offset, one.score, one.generation) for one in found] == [(7, 101, 0.125, 1), (7, 102, 0.25, 2)]
    assert [one.digest for one in found] == [scorers[0].digest, scorers[1].digest]
    assert all(one.route == "champion" and not one.flags for one in found)


async def test_shadows_are_scored_here(scorers: list[Scorer]) -> None:
    (one,) = await Bed(scorers, {}).predictions(answered(1, 0.125, None))
    expected = scorers[1].score({name: values[1:2] for name, values in ROWS.items()}, {}, [START_MS])
    assert [(shadow.name, shadow.digest) for shadow in one.shadows] == [("challenger", scorers[1].digest)]
    assert one.shadows[0].score == pytest.approx(float(expected[0]))


async def test_a_version_says_who_answered_whatever_the_time(scorers: list[Scorer]) -> None:
    old, new = scorers[0].digest, scorers[1].digest
    bed = Bed(scorers, {"v1": old})
    found = await bed.predictions(
        answered(1, 0.1, "v1", after_ms=5_000),
        answered(2, 0.2, new[:12], after_ms=5_000),
        answered(3, 0.3, new),
        answered(4, 0.4, "v9", after_ms=5_000),
        answered(5, 0.5, new[:11]),
    )
    assert [(one.digest, one.generation) for one in found] == [(old, 1), (new, 2), (new, 2), (new, 2), (old, 1)]
    assert [one.flags for one in found] == [[], [], [], ["unknown_version"], ["unknown_version"]]


async def test_a_canary_has_no_say(scorers: list[Scorer]) -> None:
    canary = Canary(digest=scorers[2].digest, weight=1.0, salt="s")
    (one,) = await Bed(scorers, {}, canary).predictions(answered(1, 0.125, None))
    assert (one.route, one.score, one.digest) == ("champion", 0.125, scorers[0].digest)


async def test_an_imitation_scores_nothing(scorers: list[Scorer], tmp_path_factory: pytest.TempPathFactory) -> None:
    imitation = load(BundleStore(root := tmp_path_factory.mktemp("imitation") / "registry"), "toys", make_bundle(root, seed=1))
    imitation._manifest = msgspec.structs.replace(imitation.manifest, lineage={"stand_in": {"mean_distance": 0.1}})
    (one,) = await Bed([scorers[0], imitation, scorers[2]], {}).predictions(answered(1, 0.125, None))
    assert one.shadows == []
    (one,) = await Bed([imitation, scorers[1], scorers[2]], {}).predictions(answered(1, 0.125, None))
    assert (one.score, [shadow.name for shadow in one.shadows]) == (0.125, ["challenger"])


def test_scores_follow_their_rows() -> None:
    rows = [msgspec.json.decode(answered(number, number / 10, None).value or b"", type=ANSWERED) for number in range(3)]
    foreign = Versions({}).read(rows, ())
    assert foreign.scores is not None
    assert np.allclose(foreign.scores, [0.0, 0.1, 0.2])
    assert list(foreign.champions) == [None, None, None]
