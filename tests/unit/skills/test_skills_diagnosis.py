from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from skills import diagnose_drift
from skills._kit.causes import Cause, Signs, weigh
from skills._kit.errors import NoDataError
from skills._kit.frames import floats
from skills._kit.profiles import category_profile, number_profile
from skills._kit.scoring import score_table
from skills._kit.shifts import category_shift, number_shift
from skills._kit.slices import ranges_of, slices_of
from streams.contracts.schema import Column, ModelSchema
from streams.inference.session import load
from streams.inference.store import BundleStore
from streams.runtime.text import safe
from streams.statistics.distances import psi
from tests.kit.served import Served, diagnosed, late, served_in
from tests.kit.shops import DAY_MS, HOUR_MS, MODEL, SCHEMA, orders, serve

CALM = Signs(
    loss_z=0.0,
    loss_change=0.0,
    quality_drop=0.0,
    estimated_z=None,
    estimated_change=0.0,
    psi=0.02,
    missing=0.0,
    strange=0.0,
    scale=0.0,
    dead=0,
    flagged=0.0,
    mismatch=0.0,
    recurring=0.0,
    delay_ratio=1.0,
    one_class=False,
    corrected=0.0,
    labels_missing=False,
    segment_excess=0.0,
    segment_share=0.0,
    swap_days=0.0,
    swap_chance=1.0,
    swap_loss_z=None,
    swap_loss_change=0.0,
    swap_psi=0.0,
    told={},
)
FORESEEN = {"psi": 1.0, "estimated_z": 6.0, "estimated_change": 0.22}
SWAPPED = {"swap_chance": 0.02, "swap_loss_z": 6.0, "swap_loss_change": 0.2}


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({}, "false_alarm"),
        ({"psi": 1.0}, "harmless_shift"),
        ({"psi": 1.0, "loss_z": 6.0, "loss_change": 0.2}, "harmful_shift"),
        ({"loss_z": 6.0, "loss_change": 0.2}, "concept_change"),
        ({"quality_drop": 0.05}, "concept_change"),
        ({"loss_z": 6.0, "loss_change": 0.001}, "false_alarm"),
        ({"missing": 0.9, "psi": 5.0, "loss_z": 6.0, "loss_change": 0.2}, "upstream_data_break"),
        ({"scale": 2.0, "psi": 5.0}, "upstream_data_break"),
        ({"dead": 1, "psi": 5.0, "loss_z": 6.0, "loss_change": 0.2}, "upstream_data_break"),
        ({"mismatch": 0.5}, "serving_bug"),
        ({"one_class": True}, "label_trouble"),
        ({"delay_ratio": 9.0}, "label_trouble"),
        ({"told": {"labels": 1.0}}, "label_trouble"),
        ({"told": {"data_quality": 1.0}}, "upstream_data_break"),
        ({"told": {"data_quality": 0.2}}, "false_alarm"),
        ({"told": {"values": 1.0}}, "false_alarm"),
        ({"told": {"performance": 0.95}, "loss_change": 0.02}, "concept_change"),
        ({"told": {"performance": 0.2}, "loss_change": 0.02}, "false_alarm"),
        ({"told": {"performance": 0.2}, "loss_change": 0.1, "loss_z": 3.5}, "concept_change"),
        ({"told": {"values": 1.0}, "strange": 0.02}, "upstream_data_break"),
        ({"told": {"values": 1.0}, "missing": 0.05}, "upstream_data_break"),
        ({"strange": 0.02}, "false_alarm"),
        ({"windows_missing": 0.2, "psi": 7.0}, "upstream_data_break"),
        ({"windows_strange": 0.3, "loss_z": 6.0, "loss_change": 0.2}, "upstream_data_break"),
        ({"windows_strange": 0.08, "loss_z": 6.0, "loss_change": 0.2}, "concept_change"),
        ({"windows_missing": 0.08, "told": {"values": 1.0}, "psi": 7.0}, "harmless_shift"),
        ({"windows_missing": 0.08, "told": {"values": 1.0}}, "upstream_data_break"),
        ({"windows_missing": 0.08, "told": {"values": 0.2}}, "false_alarm"),
        ({"told": {"values": 1.0}, "strange": 0.004, "psi": 0.5}, "harmless_shift"),
        ({"told": {"values": 1.0}, "strange": 0.004, "loss_z": 8.0, "loss_change": 0.2, "psi": 0.5}, "harmful_shift"),
        ({"psi": 1.0, "recurring": 1.0}, "recurring_regime"),
        ({"loss_z": 6.0, "loss_change": 0.2, "segment_share": 0.2, "segment_excess": 0.9}, "new_segment"),
        ({"loss_z": None, "psi": 1.0, "told": {"performance": 1.0}}, "harmful_shift"),
        ({"loss_z": None, "psi": 1.0}, "harmless_shift"),
        ({"loss_z": None, "psi": 1.0, "estimated_z": 6.0, "estimated_change": 0.05}, "harmful_shift"),
        ({"loss_z": None, "psi": 1.0, "estimated_z": 6.0, "estimated_change": 0.002}, "harmless_shift"),
        ({"psi": 1.0, "estimated_z": 6.0, "estimated_change": 0.05}, "harmless_shift"),
        # Few labels that are as bad as the scores let expect, few that aren't, and many that aren't.
        ({**FORESEEN, "loss_z": 2.0, "loss_change": 0.26}, "harmful_shift"),
        ({**FORESEEN, "loss_z": -0.1, "loss_change": -0.013}, "harmless_shift"),
        ({**FORESEEN, "loss_z": 0.8, "loss_change": 0.008}, "harmless_shift"),
        ({**FORESEEN, "estimated_z": 0.9, "loss_z": 2.0, "loss_change": 0.26}, "harmless_shift"),
        ({**SWAPPED, "loss_z": 6.0, "loss_change": 0.2}, "bad_swap"),
        ({**SWAPPED, "loss_z": 6.0, "loss_change": 0.2, "psi": 1.0}, "bad_swap"),
        ({**SWAPPED, "loss_z": 6.0, "loss_change": 0.2, "swap_chance": 0.5}, "concept_change"),
        ({**SWAPPED, "loss_z": 6.0, "loss_change": 0.2, "swap_loss_z": 0.5}, "concept_change"),
        ({**SWAPPED, "loss_z": 6.0, "loss_change": 0.2, "swap_loss_z": None}, "concept_change"),
        ({**SWAPPED, "loss_z": 6.0, "loss_change": 0.2, "swap_loss_change": -0.1}, "concept_change"),
        ({**SWAPPED, "loss_z": 6.0, "loss_change": 0.2, "mismatch": 0.5}, "serving_bug"),
        ({"loss_z": 6.0, "loss_change": 0.2, "returned": 0.05}, "recurring_regime"),
        ({"psi": 0.02, "returned": 0.05}, "false_alarm"),
        ({"loss_z": 6.0, "loss_change": 0.2, "told": {"label_drift": 1.0}}, "label_trouble"),
        ({"loss_z": 6.0, "loss_change": 0.2, "told": {"label_drift": 1.0, "score_drift": 1.0}}, "concept_change"),
        ({"loss_z": 6.0, "loss_change": 0.2, "psi": 1.0, "told": {"label_drift": 1.0}}, "harmful_shift"),
        (
            {"loss_z": 6.0, "loss_change": 0.2, "psi": 0.5, "strange": 0.12, "segment_share": 0.12, "segment_excess": 0.7},
            "new_segment",
        ),
        (
            {"loss_z": 6.0, "loss_change": 0.2, "psi": 0.5, "strange": 0.6, "segment_share": 0.12, "segment_excess": 0.7},
            "upstream_data_break",
        ),
    ],
)
def test_the_rules_name_the_cause(changed: dict[str, Any], cause: Cause):
    causes = weigh(msgspec.structs.replace(CALM, **changed))
    assert causes[0].cause == cause
    assert sum(one.probability for one in causes) == pytest.approx(1)
    assert len({one.cause for one in causes}) == 10
    assert all(one.probability > 0 and one.evidence for one in causes)


def test_psi_is_zero_for_equal_and_grows_with_the_shift():
    rng = np.random.default_rng(0)
    reference = number_profile(rng.normal(size=5_000), rng)
    shifts = [number_shift("x", reference, rng.normal(by, 1, 5_000)) for by in (0.0, 0.3, 1.0)]
    assert shifts[0].statistic < 0.02 < shifts[1].statistic < shifts[2].statistic
    assert [shift.effect for shift in shifts] == pytest.approx([0, 0.3, 1.0], abs=0.06)
    assert psi(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 0


def test_breaks_show_as_missing_scale_and_strange_values():
    rng = np.random.default_rng(0)
    reference = number_profile(rng.gamma(2.0, size=5_000), rng)
    assert number_shift("x", reference, np.full(100, np.nan)).missing == 1.0
    hundredfold = number_shift("x", reference, 100 * rng.gamma(2.0, size=1_000))
    assert hundredfold.scale == pytest.approx(2, abs=0.1)
    assert hundredfold.strange > 0.9
    colours = category_profile(["red"] * 60 + ["blue"] * 40)
    assert category_shift("c", colours, ["green"] * 30 + ["red"] * 70).strange == pytest.approx(0.3)
    assert category_shift("c", colours, ["red"] * 6 + ["blue"] * 4).statistic == pytest.approx(0, abs=1e-9)


def test_ranges_cut_numbers_where_there_is_no_category():
    schema = ModelSchema(
        columns=(
            Column(name="size", kind="number"),
            Column(name="night", kind="number"),
            Column(name="owner_age", kind="number", tags=("pii",)),
            Column(name="empty", kind="number"),
        )
    )
    size = [float(value) for value in range(1_000)] + [None] * 100
    night = [0.0] * 900 + [1.0] * 200
    table = pa.table({"size": size, "night": night, "owner_age": size, "empty": pa.nulls(1_100, pa.float64())})
    parts = ranges_of(schema, table)
    assert [(one.name, int(one.rows.sum())) for one in parts] == [
        ("size=0..249", 250),
        ("size=250..499", 250),
        ("size=500..749", 250),
        ("size=750..999", 250),
        ("night=0..0", 900),
        ("night=1..1", 200),
    ]
    coarse = [(one.name, int(one.rows.sum())) for one in ranges_of(schema, table, least_rows=400)]
    assert coarse == [("size=0..499", 500), ("size=500..999", 500), ("night=0..0", 900)]
    assert ranges_of(schema, table, least_rows=600) == []


def test_slices_name_only_plain_values():
    assert safe("JFK") == "JFK"
    assert safe("<script>alert(1)</script>").startswith("#")
    names = [one.name for one in slices_of(SCHEMA, orders(2_000, 1).table)]
    assert any(name.startswith("colour=") for name in names)
    assert not any(name.startswith(("email=", "buyer=")) for name in names)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return served_in(tmp_path_factory.mktemp("served"))


def test_a_calm_stream_is_a_false_alarm(served: Served, tmp_path: Path):
    found = diagnosed(served, tmp_path)
    assert found.causes[0].cause == "false_alarm"
    assert found.label_state.coverage == pytest.approx(1, abs=0.05)
    assert HOUR_MS / 2 < (found.label_state.delay_ms_p50 or 0) < (found.label_state.delay_ms_p90 or 0) < 3 * HOUR_MS
    assert found.performance.low < found.performance.recent < found.performance.high
    assert found.performance.reference == pytest.approx(found.performance.recent, abs=0.08)


@pytest.mark.parametrize(
    ("detector", "kind", "cause"),
    [
        ("inputs_volume", "data_quality", "upstream_data_break"),
        ("inputs_quality", "data_quality", "false_alarm"),
        ("labels_delay", "data_quality", "label_trouble"),
        ("labels_coverage", "data_quality", "label_trouble"),
        ("parity", "serving", "serving_bug"),
        ("requests_rejected", "serving", "upstream_data_break"),
    ],
)
def test_what_an_event_speaks_of_goes_by_its_detector(
    served: Served, tmp_path: Path, detector: str, kind: str, cause: Cause
) -> None:
    assert diagnosed(served, tmp_path, (kind,), detector=detector).causes[0].cause == cause


def test_labels_that_all_take_longer_than_the_recent_range_are_no_labels_that_are_missing(served: Served, tmp_path: Path):
    known = (served.given.table["time_ms"].to_numpy() + 5 * DAY_MS).tolist()
    state = diagnosed(served, tmp_path, known_ms=known).label_state
    assert state.coverage == pytest.approx(1, abs=0.1)
    assert (state.delay_ms_p50, state.delay_ms_p90) == (5 * DAY_MS, 5 * DAY_MS)
    assert state.rows > 500


def test_turned_labels_are_a_concept_change(served: Served, tmp_path: Path):
    labels = floats(served.given.table, "label")
    turned = np.where(late(served), 1 - labels, labels)
    found = diagnosed(served, tmp_path, ("loss_drift",), label=turned.tolist())
    assert found.causes[0].cause == "concept_change"
    assert found.performance.high < found.performance.reference
    assert found.slices[0].excess > 0


def test_a_column_gone_missing_is_a_broken_source(served: Served, tmp_path: Path):
    amounts = served.given.table["amount"].to_pylist()
    gone = [None if is_late else value for value, is_late in zip(amounts, late(served), strict=True)]
    found = diagnosed(served, tmp_path, amount=gone)
    assert found.causes[0].cause in {"upstream_data_break", "serving_bug"}
    assert {one.cause for one in found.causes[:2]} == {"upstream_data_break", "serving_bug"}, "the logged scores fit no longer"
    assert found.headroom is None, "what a training could gain isn't measured on broken rows"
    assert found.moved[0].feature == "amount"


def test_harm_of_a_break_that_is_over_is_put_down_to_it(served: Served, tmp_path: Path):
    """All labels take five days, so those of the last four are of days in which a column was gone."""
    given = served.given
    known, is_gone = given.table["time_ms"].to_numpy() + 5 * DAY_MS, late(served, 9) & ~late(served, 5)
    gone = [None if one else value for value, one in zip(given.table["amount"].to_pylist(), is_gone, strict=True)]
    labels = np.where(is_gone, 1 - floats(given.table, "label"), floats(given.table, "label"))
    stated = {"amount": gone, "known_ms": known.tolist(), "label": labels.tolist()}
    scorer = load(BundleStore(Path(served.common["registry"])), MODEL, served.common["champion"])
    column = given.table.column_names.index("amount")
    stated["score"] = score_table(scorer, given.table.set_column(column, "amount", pa.array(gone, pa.float64())))
    assert diagnosed(served, tmp_path / "a", ("loss_drift",), **stated).causes[0].cause == "upstream_data_break"
    unasked = diagnosed(served, tmp_path / "b", ("label_drift", "score_drift"), **stated)
    assert unasked.causes[0].cause == "concept_change", "what isn't told of harm looks at what comes now"


def test_a_change_is_measured_since_it_began(served: Served, tmp_path: Path):
    """Half a day of other amounts is lost among four days of usual ones, unless the event says when it began."""
    amounts, is_late = np.array(served.given.table["amount"].to_pylist()), late(served, 0.5)
    moved = np.where(is_late, amounts + 1.0, amounts).tolist()
    since_ms = served.given.end_ms - DAY_MS // 2
    named = ("feature_drift", "loss_drift")
    diluted = diagnosed(served, tmp_path / "a", named, amount=moved)
    told = diagnosed(served, tmp_path / "b", named, amount=moved, since_ms=since_ms)
    hardly = diagnosed(served, tmp_path / "c", named, amount=moved, since_ms=served.given.end_ms - HOUR_MS)
    first = [next((one.effect for one in found.moved if one.feature == "amount"), 0.0) for found in (diluted, told, hardly)]
    assert first[0] < 0.3
    assert first[1] == pytest.approx(1.0, abs=0.25)
    assert first[2] == first[0], "of an hour there are too few rows"


def test_without_labels_what_the_scores_let_expect_tells_harm_from_none(served: Served, tmp_path: Path):
    """Requests come whose scores are where the model is least sure; no label of the last days is known yet."""
    scorer = load(BundleStore(Path(served.common["registry"])), MODEL, served.common["champion"])
    unsure = np.quantile(scorer.profile.score.sample, 0.95)
    known = served.given.table["known_ms"].to_numpy() + np.where(late(served), 9 * DAY_MS, 0)
    scores = np.where(late(served), unsure, served.scores)
    unknown = diagnosed(served, tmp_path / "a", ("score_drift",), score=scores, known_ms=known.tolist())
    evidence = {one.cause: one.evidence for one in unknown.causes}["harmful_shift"]
    assert unknown.performance.recent is None
    assert evidence["estimated_loss_change"] > 0.1
    assert np.isnan(evidence["loss_z"])


def test_labels_from_before_the_change_say_nothing_of_it(served: Served, tmp_path: Path):
    """All labels take five days, so those of the last four are of calm days; the change is a day old."""
    known = (served.given.table["time_ms"].to_numpy() + 5 * DAY_MS).tolist()
    amounts = np.where(late(served, 1), 3.0, 0.0) + np.array(served.given.table["amount"].to_pylist())
    stated = {"amount": amounts.tolist(), "known_ms": known}
    since = diagnosed(served, tmp_path / "a", ("feature_drift",), since_ms=served.given.end_ms - DAY_MS, **stated)
    unsaid = diagnosed(served, tmp_path / "b", ("feature_drift",), **stated)
    found = [next(one for one in found.causes if one.cause == "harmful_shift").evidence["loss_z"] for found in (since, unsaid)]
    assert np.isnan(found[0])
    assert np.isfinite(found[1])


@pytest.mark.parametrize("since_days", [0.5, 2.0])
def test_a_column_that_has_one_value_alone_is_a_broken_source(served: Served, tmp_path: Path, since_days: float):
    """Zero is a value like any other, so no single row is strange; the scores are those of the zeros.

    What events say began half a day ago may have begun before: three such stretches were as still, at the same value.
    """
    is_late = late(served, since_days)
    amounts = np.where(is_late, 0.0, np.array(served.given.table["amount"].to_pylist()))
    column = served.given.table.column_names.index("amount")
    table = served.given.table.set_column(column, "amount", pa.array(amounts))
    scorer = load(BundleStore(Path(served.common["registry"])), MODEL, served.common["champion"])
    dead = {"amount": amounts.tolist(), "score": score_table(scorer, table), "since_ms": served.given.end_ms - DAY_MS // 2}
    found = diagnosed(served, tmp_path / "a", ("feature_drift",), **dead)
    assert found.causes[0].cause == "upstream_data_break"
    assert found.causes[0].evidence["columns_of_one_value"] == 1
    days = (served.given.table["time_ms"].to_numpy() - served.given.end_ms) // (DAY_MS // 2)
    slow = {
        "it never had two values in half a day": days % 5,
        "and three days ago it hadn't": np.where((days >= -8) & (days <= -6), 1.0, amounts),
    }
    for why, values in slow.items():
        usual = diagnosed(served, tmp_path / why, ("feature_drift",), **(dead | {"amount": values.astype(float).tolist()}))
        broken = next(one for one in usual.causes if one.cause == "upstream_data_break")
        assert broken.evidence["columns_of_one_value"] == 0, why


def test_other_scores_than_the_bundle_gives_are_a_serving_bug(served: Served, tmp_path: Path):
    wrong = np.where(late(served), served.scores + 0.01, served.scores)
    assert diagnosed(served, tmp_path, score=wrong).causes[0].cause == "serving_bug"


def test_labels_of_one_class_are_label_trouble(served: Served, tmp_path: Path):
    labels = np.where(late(served), 0.0, floats(served.given.table, "label"))
    shifted = served.given.table["known_ms"].to_numpy() + np.where(late(served), 0, -4 * HOUR_MS)
    found = diagnosed(served, tmp_path, label=labels.tolist(), known_ms=np.maximum(shifted, 0).tolist())
    assert found.causes[0].cause == "label_trouble"


def test_where_few_requests_come_it_reaches_back_further(served: Served, tmp_path: Path):
    recent_ms = DAY_MS // 4
    few, more, most = (
        diagnosed(served, tmp_path / str(rows), recent_ms=recent_ms, recent_rows=rows).label_state.rows
        for rows in (0, 2 * rows_within(served, recent_ms), 10**9)
    )
    assert few < more < most
    assert more <= 2.5 * few, "about twice as far back has twice as many"
    assert most <= rows_within(served, diagnose_drift.LOOK_BACK * recent_ms), "and no further than that"


def rows_within(served: Served, span_ms: int) -> int:
    return int((served.given.table["time_ms"].to_numpy() >= served.given.end_ms - span_ms).sum())


def test_nothing_recent_is_no_diagnosis(served: Served, tmp_path: Path):
    serve(served.given, tmp_path / "lake", served.scores, served.common["champion"])
    much_later = {"lake": str(tmp_path / "lake"), "now_ms": served.given.end_ms + 90 * DAY_MS}
    with pytest.raises(NoDataError):
        diagnose_drift.run(diagnose_drift.Input(**{**served.common, **much_later}, events=[], recent_ms=DAY_MS), tmp_path)


def test_labels_that_follow_their_own_past_show_headroom(served: Served, tmp_path: Path):
    """Each shop has good and bad stretches of twelve hours that no column knows of; labels known before tell."""
    shops, times = served.given.table["shop"].to_pylist(), served.given.table["time_ms"].to_numpy()
    rng = np.random.default_rng(4)
    moods = {name: rng.random(80) < 0.5 for name in sorted(set(shops))}
    stretch = (times - times.min()) // (12 * HOUR_MS)
    bad = np.array([moods[shop][place] for shop, place in zip(shops, stretch, strict=True)])
    labels = (rng.random(len(bad)) < np.where(bad, 0.8, 0.2)).astype(float)
    found = diagnosed(served, tmp_path, label=labels.tolist())
    assert found.headroom is not None
    assert found.headroom.low > 0.1
    assert any("by shop" in text for text in found.headroom.windows)


def test_labels_without_memory_leave_no_headroom(served: Served, tmp_path: Path):
    found = diagnosed(served, tmp_path)
    assert found.headroom is not None
    assert found.headroom.low <= 0.01
