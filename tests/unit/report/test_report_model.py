from __future__ import annotations

import math

import msgspec
import pytest
from report_sample import sample_report

from daemon.report.model import Delivery, Gate, IncidentReport, decode_report, encode_report
from daemon.report.outcome import leads, mean_quality, outcome, own_swaps, refused_incident
from streams.contracts.bundle import Interval


def test_a_report_survives_its_way_through_json():
    report = sample_report()
    assert decode_report(encode_report(report)) == report


def test_numbers_that_are_not_finite_survive_as_valid_json():
    gate = Gate(claim="c", verdict="failed", reason="r", numbers={"a": math.nan, "b": -math.inf})
    incident = IncidentReport(id="i", state="open", opened_ms=0, closed_ms=None, title="nan", gates=(gate,))
    data = encode_report(msgspec.structs.replace(sample_report(), incidents=(incident,)))
    assert b"NaN" not in data
    back = decode_report(data).incidents[0]
    assert back.title == "nan"
    assert math.isnan(back.gates[0].numbers["a"])
    assert back.gates[0].numbers["b"] == -math.inf


def test_another_shape_is_refused():
    with pytest.raises(msgspec.ValidationError):
        decode_report(b'{"title": "only"}')


def test_speed_is_virtual_over_wall_time():
    report = msgspec.structs.replace(sample_report(), start_ms=0, end_ms=10_000, wall_seconds=2.0)
    assert report.speed == 5.0
    assert msgspec.structs.replace(report, wall_seconds=0.0).speed == 0.0


def test_the_sample_closes_and_says_why():
    said = outcome(sample_report())
    assert said.is_closed
    assert any("above left alone" in reason for reason in said.reasons)


@pytest.mark.parametrize("held", [None, False])
def test_a_check_that_is_not_held_keeps_the_loop_open(*, held: bool | None):
    report = sample_report()
    broken = msgspec.structs.replace(report.checks[0], held=held, measured="" if held is None else "9")
    said = outcome(msgspec.structs.replace(report, checks=(broken, *report.checks[1:])))
    assert not said.is_closed
    assert said.reasons == (f"Promotions: {'not measured' if held is None else '9'} (bar: at most 6)",)


@pytest.mark.parametrize(
    "counted",
    [
        None,
        Delivery(requests=5, predictions=4, quarantined=1, missing=0, doubled=1),
        Delivery(requests=5, predictions=4, quarantined=0, missing=0, doubled=0),
    ],
)
def test_lost_doubled_or_uncounted_records_keep_the_loop_open(counted: Delivery | None):
    assert not outcome(msgspec.structs.replace(sample_report(), delivery=counted)).is_closed


def test_a_run_in_which_nothing_was_checked_did_not_close():
    assert "nothing was checked" in outcome(msgspec.structs.replace(sample_report(), checks=())).reasons


def test_a_lead_below_its_bar_keeps_the_loop_open():
    report = sample_report()
    slots = (report.slots[0], msgspec.structs.replace(report.slots[1], bar=0.5), report.slots[2])
    said = outcome(msgspec.structs.replace(report, slots=slots))
    assert not said.is_closed
    assert "left alone" in said.reasons[0]


def test_means_compare_only_months_that_all_slots_have():
    report = sample_report()
    first, second = (
        msgspec.structs.replace(report.months[place], quality={"driftwake": Interval(a, a, a), "left alone": b})
        for place, (a, b) in enumerate([(0.9, Interval(0.5, 0.5, 0.5)), (0.1, None)])
    )
    report = msgspec.structs.replace(report, months=(first, second))
    assert mean_quality(report, ("driftwake", "left alone")) == {"driftwake": 0.9, "left alone": 0.5}
    assert leads(report)[0].difference == pytest.approx(0.4)
    assert leads(report)[1].difference is None
    assert not outcome(report).is_closed


def test_own_swaps_leave_out_the_first_bundle_and_the_other_slots():
    assert own_swaps(sample_report()) == 2


def test_the_refused_incident_is_found_by_its_id():
    report = sample_report()
    assert refused_incident(report) is report.incidents[2]
    assert refused_incident(msgspec.structs.replace(report, refused=None)) is None
