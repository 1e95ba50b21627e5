"""When a change began, the labelled rows since then, and the newest of them: as many as a plan will find, none held too many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from daemon.planners.base import Change
from daemon.planning.compose import Basis, ranges_of
from daemon.planning.config import PlanningConfig
from skills import build_dataset
from skills._kit import archives
from skills._kit.archives import Archive, newest_rows
from skills._kit.changes import Delays, began_ms, change_of
from skills._kit.features import unflagged
from skills._kit.ranges import FRESH_SEALED, Lengths, since_change
from skills._kit.sources import newest_known
from streams.contracts.events import DriftEvent, Evidence
from streams.inference.store import BundleStore
from streams.lake import lake as lakes
from streams.lake.lake import Lake
from streams.lake.tables import table_schema
from streams.runtime.durations import Duration
from tests.kit.shops import DAY_MS, HOUR_MS, MODEL, SCHEMA, SKEW_MS, orders
from tests.unit.planning.plans import incident, proposal_of

GIVEN = orders(3_000, 8)
NOW_MS = GIVEN.end_ms + DAY_MS
SINCE_MS = NOW_MS - 12 * DAY_MS
COLUMNS = ["id", "time_ms", "known_ms", "revision", "label", "flags"]


def event(kind: str, since_ms: int, transition: str = "confirmed") -> DriftEvent:
    proof = Evidence(watched="x", method="mean", p_value=0.001, effect=1.0, effect_unit="sd", since_ms=since_ms)
    return DriftEvent(
        id=f"{kind}-{since_ms}", kind=kind, transition=transition, model=MODEL, digest="", detector="d", time_ms=NOW_MS,  # type: ignore[arg-type]
        bucket_start_ms=NOW_MS - DAY_MS, bucket_end_ms=NOW_MS, rows=9, evidence=(proof,),
    )  # fmt: skip


def served(root: Path, cuts: Sequence[int], seed: int = 0) -> Lake:
    """The orders with labels that take up to four days, every ninth suspect, every fifth corrected later; in so many files."""
    rng, rows = np.random.default_rng(seed), GIVEN.table.num_rows
    known_ms = GIVEN.table.column("time_ms").to_numpy() + np.random.default_rng(1).integers(HOUR_MS, 4 * DAY_MS, rows)
    filled: dict[str, object] = {name: GIVEN.table.column(name) for name in GIVEN.table.column_names}
    filled |= {
        "partition": [0] * rows, "offset": list(range(rows)), "windows": [[]] * rows, "generation": [1] * rows,
        "flags": [["odd"] if number % 9 == 0 else [] for number in range(rows)], "route": ["champion"] * rows,
        "score": np.full(rows, 0.5), "digest": ["c" * 64] * rows, "shadows": [[]] * rows, "revision": [0] * rows,
        "known_ms": known_ms,
    }  # fmt: skip
    lake = Lake(root)
    for name in ("predictions", "outcomes"):
        schema = table_schema(SCHEMA, name)
        table = pa.table({field.name: filled[field.name] for field in schema}, schema=schema)
        if name == "outcomes":
            again = table.take(pa.array(np.arange(0, rows, 5)))
            for column, values in (
                ("revision", pa.array(np.ones(again.num_rows, np.int32))),
                ("known_ms", pc.add(again.column("known_ms"), DAY_MS)),
                ("label", pc.subtract(1.0, again.column("label"))),
            ):
                again = again.set_column(again.column_names.index(column), column, values)
            table = pa.concat_tables([table, again])
        shuffled = table.take(pa.array(rng.permutation(table.num_rows)))
        for place, (first, last) in enumerate(zip([0, *cuts], [*cuts, shuffled.num_rows], strict=True)):
            lake.append(MODEL, name, shuffled.slice(first, last - first), {"orders/0": place + 1})
    return lake


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("changes")
    return Archive(served(folder / "lake", [1_000, 2_500]), BundleStore(folder / "registry"), MODEL, NOW_MS)


def test_a_change_began_when_the_truth_moved_and_else_when_the_inputs_did() -> None:
    inputs, truth = event("feature_drift", 700), event("loss_drift", 500)
    for events, since_ms in (([inputs], 700), ([inputs, truth], 500), ([truth, event("performance", 600)], 600)):
        assert began_ms(events, Delays(0, 0)) == since_ms
    assert began_ms([event("loss_drift", 0), event("loss_drift", 300, "suspected")], Delays(0, 0)) is None, "nobody says when"


def test_what_labels_tell_began_when_they_were_asked_for() -> None:
    """Outcomes count from when they are known: a loss that rose on day 84, of labels that take seven, rose of rows of day 77."""
    inputs, truth = event("feature_drift", 700), event("loss_drift", 500)
    assert began_ms([truth], Delays(120, 300)) == 380
    assert began_ms([inputs, truth], Delays(120, 300)) == 380
    assert began_ms([inputs], Delays(120, 300)) == 700
    assert began_ms([truth], Delays(900, 900)) == 1


def test_labelled_rows_are_those_since_then_each_once_and_sound_whenever_their_label_came(archive: Archive) -> None:
    outcomes = unflagged(archive.lake.read(MODEL, "outcomes", COLUMNS))
    asked = newest_known(outcomes, NOW_MS).column("time_ms").to_numpy()
    found = change_of(archive, [event("loss_drift", SINCE_MS)], Delays(0, 2.5 * DAY_MS), None, "binary")
    assert found is not None
    assert (found.since_ms, found.train_rows) == (SINCE_MS, None)
    counted = (asked >= SINCE_MS) & (asked < NOW_MS - 2.5 * DAY_MS)
    assert found.rows == int(counted.sum()) > 500
    first = unflagged(archive.lake.read(MODEL, "outcomes", COLUMNS)).filter(pc.equal(pc.field("revision"), 0))
    positive = first.filter((pc.field("time_ms") >= SINCE_MS) & (pc.field("time_ms") < round(NOW_MS - 2.5 * DAY_MS)))
    positive = positive.filter(pc.field("known_ms") < NOW_MS)
    number = int(np.sum(positive.column("label").to_numpy() > 0.5))
    assert found.rare == min(number, found.rows - number) > 100
    whole = change_of(archive, [event("loss_drift", SINCE_MS)], Delays(0, 2.5 * DAY_MS), None, "regression")
    assert whole is not None
    assert whole.rare == whole.rows
    assert change_of(archive, [event("loss_drift", 0)], Delays(0, 0), None, "binary") is None


@pytest.mark.parametrize(
    ("ago_days", "lengths_days", "delay_days"),
    [(12, (90, 14), 2.5), (12, (90, 3), 0.0), (12, (6, 1), 1.0), (9, (8, 2), 3.7), (4, (90, 14), 3.5), (4, (90, 14), 4.0)],
)
def test_what_a_training_would_be_given_is_what_it_is_given(
    archive: Archive, tmp_path: Path, ago_days: int, lengths_days: tuple[int, int], delay_days: float
) -> None:
    """Held against the plan that the daemon makes, and the rows that are built by it."""
    train, sealed = (Duration.of(f"{days}d") for days in lengths_days)
    config = PlanningConfig(train=train, sealed=sealed)
    since_ms = NOW_MS - ago_days * DAY_MS
    lengths = Lengths(config.train.ms, config.sealed.ms)
    found = change_of(archive, [event("loss_drift", since_ms)], Delays(0, delay_days * DAY_MS), lengths, "binary")
    assert found is not None
    delay_ms = round(delay_days * DAY_MS)
    basis = Basis(NOW_MS, incident(challenger=""), "c", (), delay_ms, change=Change(since_ms=since_ms, rows=found.rows))
    planned = ranges_of(proposal_of("retrain", train_since_ms=since_ms), basis, NOW_MS, config)
    if since_change(since_ms, NOW_MS, delay_ms, lengths) is None:
        assert found.train_rows == 0, "no plan is made of rows none of which could be judged on"
        return
    asked = build_dataset.Input(
        lake=archive.lake.root, registry=str(tmp_path), model=MODEL, schema=SCHEMA, skew_ms=SKEW_MS,
        until_ms=planned.until_ms, train_ms=planned.train_ms, sealed_ms=planned.sealed_ms, label_delay_ms=planned.delay_ms,
    )  # fmt: skip
    built = build_dataset.run(asked, tmp_path)
    assert found.train_rows == built.rows_train
    assert found.rows >= built.rows_train + built.rows_sealed > built.rows_sealed > 0


def test_of_an_empty_lake_there_are_no_rows(tmp_path: Path) -> None:
    empty = Archive(Lake(tmp_path), BundleStore(tmp_path), MODEL, NOW_MS)
    found = change_of(empty, [event("loss_drift", SINCE_MS)], Delays(0, 0), Lengths(DAY_MS, DAY_MS), "binary")
    assert found is not None
    assert (found.rows, found.rare, found.train_rows) == (0, 0, 0)


def test_the_newest_rows_are_the_same_in_whichever_files_they_lie_and_no_more_are_held(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    span = (SINCE_MS, NOW_MS - 3 * DAY_MS)
    outcomes = newest_known(unflagged(archive.lake.read(MODEL, "outcomes", COLUMNS, since_ms=span[0], until_ms=span[1])), NOW_MS)
    expected = outcomes.sort_by([("time_ms", "ascending"), ("id", "ascending")])
    held: list[int] = []

    def counting(rows: pa.Table, before_ms: int) -> pa.Table:
        held.append(rows.num_rows)
        return newest_known(rows, before_ms)

    monkeypatch.setattr(archives, "newest_known", counting)
    monkeypatch.setattr(lakes, "_AT_ONCE", 25)
    for seed, cuts in enumerate(([], [7, 900], list(range(300, 3_600, 300)))):
        lake = served(tmp_path / str(seed), cuts, seed)
        found = newest_rows(archive._replace(lake=lake), COLUMNS, span, most=40)
        assert found is not None
        assert found.labelled == expected.num_rows > 1_000
        assert found.rows.to_pylist() == expected.slice(expected.num_rows - 40).to_pylist()
    assert 40 < max(held) <= 40 + 25
    assert newest_rows(archive, COLUMNS, (NOW_MS, NOW_MS + 1), most=40) is None


def test_the_judge_s_part_is_what_a_plan_keeps_for_it() -> None:
    found = since_change(0, 10 * DAY_MS, 0, Lengths(90 * DAY_MS, 14 * DAY_MS))
    assert found is not None
    assert found.sealed == (round((1 - FRESH_SEALED) * 10 * DAY_MS), 10 * DAY_MS)
    assert found.train == (0, found.sealed[0])
