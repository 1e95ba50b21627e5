"""What speaks of our own deployment: how soon after it something began, and what loss and inputs did there and then."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from skills._kit.frames import floats
from skills._kit.recent import Range
from skills._kit.swaps import UNKNOWN, Place, Span, Swap, soon_after, swap_of
from streams.contracts.events import DriftEvent, Transition
from streams.inference.store import BundleStore
from streams.lake.lake import Lake
from tests.kit.served import Served, diagnosed, evidence_of, served_in
from tests.kit.shops import DAY_MS, HOUR_MS, MODEL, serve

OLD = "f" * 64


def event(since_ms: int, bucket_ms: int = HOUR_MS, transition: Transition = "confirmed") -> DriftEvent:
    return DriftEvent(
        id="e", kind="loss_drift", transition=transition, model=MODEL, digest=OLD, detector="d", time_ms=9, bucket_start_ms=0,
        bucket_end_ms=bucket_ms, rows=9, evidence=(evidence_of(since_ms),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("events", "days", "chance"),
    [
        ([event(100 * HOUR_MS)], 0.0, 1 / 240),
        ([event(124 * HOUR_MS)], 1.0, 25 / 240),
        ([event(124 * HOUR_MS, DAY_MS)], 1.0, 48 / 240),
        ([event(99 * HOUR_MS + 1)], 0.0, 1 / 240),
        ([event(99 * HOUR_MS)], 0.0, 1.0),
        ([event(200 * HOUR_MS), event(124 * HOUR_MS), event(50 * HOUR_MS)], 1.0, 25 / 240),
        ([event(100 * HOUR_MS, transition="cleared")], 0.0, 1.0),
        ([msgspec.structs.replace(event(100 * HOUR_MS), evidence=())], 0.0, 1.0),
        ([], 0.0, 1.0),
    ],
)
def test_how_soon_the_first_change_began_and_how_often_chance_would_be_so_soon(
    events: list[DriftEvent], days: float, chance: float
) -> None:
    """Deployed at hour 100, 240 hours ago; a bucket that holds the deployment began before it."""
    found = soon_after(events, Span(100 * HOUR_MS, 340 * HOUR_MS, DAY_MS))
    assert (found.days, found.chance) == (pytest.approx(days), pytest.approx(chance))
    assert (found.loss_z, found.loss_change, found.psi) == UNKNOWN[2:]


def test_of_a_deployment_that_is_yet_to_come_nothing_is_said() -> None:
    assert soon_after([event(100)], Span(100, 100, DAY_MS)) == UNKNOWN


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return served_in(tmp_path_factory.mktemp("served"))


def measured(served: Served, folder: Path, *, after_days: float = 3.0, began_hours: int = 0, **changed: object) -> Swap:
    """Another bundle took over some days ago; what began some hours later is diagnosed."""
    end_ms = served.given.end_ms
    deployed_ms = end_ms - int(after_days * DAY_MS)
    lake = serve(served.given, folder / "lake", changed.pop("score", served.scores), OLD, **changed)  # type: ignore[arg-type]
    assert isinstance(lake, Lake)
    profile = BundleStore(Path(served.common["registry"])).read(MODEL, served.common["champion"]).profile
    place = Place(Range(lake, MODEL, end_ms, 4 * DAY_MS), served.given.schema, profile)
    return swap_of([event(deployed_ms + began_hours * HOUR_MS)], place, Span(deployed_ms, end_ms, 4 * DAY_MS))


def since(served: Served, days: float) -> np.ndarray:
    return served.given.table["time_ms"].to_numpy() >= served.given.end_ms - int(days * DAY_MS)


def test_where_nothing_changed_neither_loss_nor_inputs_jump(served: Served, tmp_path: Path) -> None:
    found = measured(served, tmp_path)
    assert found.chance == pytest.approx(1 / 72)
    assert found.loss_z is not None
    assert abs(found.loss_z) < 3
    assert abs(found.loss_change) < 0.1
    assert 0 <= found.psi < 0.1


def test_a_loss_that_rose_when_it_was_deployed_is_measured_as_it_was_served(served: Served, tmp_path: Path) -> None:
    """Scores were 0.9 after it, whatever came: the loss is known from the labels alone."""
    is_after, labels = since(served, 3.0), floats(served.given.table, "label")
    found = measured(served, tmp_path, score=np.where(is_after, 0.9, served.scores))
    known_ms = served.given.table["known_ms"].to_numpy()
    is_before = since(served, 6.0) & ~is_after & (known_ms < served.given.end_ms - 3 * DAY_MS)
    after = -np.log(np.where(labels == 1, 0.9, 0.1))[is_after & (known_ms < served.given.end_ms)].mean()
    before = -np.log(np.where(labels == 1, served.scores, 1 - served.scores))[is_before].mean()
    assert found.loss_change == pytest.approx((after - before) / before, rel=1e-3)
    assert found.loss_z is not None
    assert found.loss_z > 10
    assert found.psi < 0.1


def test_labels_of_one_kind_that_come_late_are_no_rise(served: Served, tmp_path: Path) -> None:
    """Ones are known within the hour, zeros after two days: of what was asked last, the ones alone have labels."""
    table, labels = served.given.table, floats(served.given.table, "label")
    known_ms = table["time_ms"].to_numpy() + np.where(labels == 1, HOUR_MS, 2 * DAY_MS)
    found = measured(served, tmp_path, known_ms=known_ms.tolist())
    assert found.loss_z is not None
    assert abs(found.loss_z) < 3
    assert abs(found.loss_change) < 0.15


def test_inputs_that_moved_when_it_was_deployed_are_measured(served: Served, tmp_path: Path) -> None:
    amounts = np.array(served.given.table["amount"].to_pylist())
    found = measured(served, tmp_path, amount=np.where(since(served, 3.0), amounts + 1.5, amounts).tolist())
    assert found.psi > 1
    earlier = measured(served, tmp_path / "b", amount=np.where(since(served, 9.0), amounts + 1.5, amounts).tolist())
    assert earlier.psi < 0.2, "they had moved before it"


def test_what_began_later_isn_t_measured_and_too_few_labels_say_nothing(served: Served, tmp_path: Path) -> None:
    wrong = np.where(since(served, 3.0), 0.9, served.scores)
    found = measured(served, tmp_path / "a", began_hours=24, score=wrong)
    assert (found.days, found.chance, found.loss_z, found.psi) == (1.0, pytest.approx(25 / 72), None, 0.0)
    late = (served.given.table["time_ms"].to_numpy() + 30 * DAY_MS).tolist()
    unknown = measured(served, tmp_path / "b", score=wrong, known_ms=late)
    assert (unknown.loss_z, unknown.loss_change) == (None, 0.0)


def test_a_diagnosis_blames_the_deployment_where_the_loss_rose_with_it(served: Served, tmp_path: Path) -> None:
    """Labels are turned since our bundle took over; with the same labels turned long before, it isn't to blame."""
    end_ms, labels = served.given.end_ms, floats(served.given.table, "label")
    deployed_ms = end_ms - 2 * DAY_MS
    digest = np.where(since(served, 2.0), served.common["champion"], OLD).tolist()
    stated = {"since_ms": deployed_ms, "bucket_ms": HOUR_MS, "digest": digest}
    turned = np.where(since(served, 2.0), 1 - labels, labels).tolist()
    own = diagnosed(served, tmp_path / "a", ("loss_drift",), label=turned, deployed_ms=deployed_ms, **stated)
    assert own.causes[0].cause == "bad_swap"
    evidence = own.causes[0].evidence
    assert evidence["days_after_own_deployment"] == 0
    assert evidence["chance_of_so_soon"] == pytest.approx(1 / 48)
    assert evidence["loss_z_at_deployment"] > 4
    assert evidence["loss_change_at_deployment"] > 0.1
    first = diagnosed(served, tmp_path / "b", ("loss_drift",), label=turned, **stated)
    assert first.causes[0].cause == "concept_change", "it always served"
    assert np.isnan(next(one for one in first.causes if one.cause == "bad_swap").evidence["days_after_own_deployment"])
    before = np.where(since(served, 6.0), 1 - labels, labels).tolist()
    inherited = diagnosed(served, tmp_path / "c", ("loss_drift",), label=before, deployed_ms=deployed_ms, **stated)
    assert inherited.causes[0].cause == "concept_change"
