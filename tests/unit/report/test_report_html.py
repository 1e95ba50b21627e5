from __future__ import annotations

import math
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_sample import sample_report

from daemon.report.html import render
from daemon.report.markup import element
from daemon.report.model import Period, ReplayReport, Slot, Swap
from streams.contracts.bundle import Interval

EMPTY = ReplayReport(title="", version="", data="", metric="", start_ms=0, end_ms=0, rows=0, wall_seconds=0.0, slots=())
HEADINGS = (
    "AUC over time",
    "Month by month",
    "Checks",
    "Incidents",
    "The challenger that was refused",
    "Delivery",
    "Lessons",
    "Resources",
)
PARTS = (
    "What happened",
    "Evidence",
    "Diagnosis",
    "What could be done",
    "Plan",
    "Features that were tried",
    "Champion against challenger",
    "Gates",
    "Verdict",
    "Swap",
    "Lesson",
)
HOSTILE = "<script>alert(1)</script>\"' onload='x' ]]> -->&amp;\x1b[31m\x00\u202e\ud800\U000e0001"


class Tags(HTMLParser):
    """Collects what a browser would see, and proves that elements nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def tree(page: str) -> ET.Element:
    return ET.fromstring(page.removeprefix("<!DOCTYPE html>"))  # noqa: S314 - made by the code under test


def assert_drawn_inside(page: str) -> int:
    """Prove that each coordinate is finite and inside its picture; returns how many there were."""
    count = 0
    for picture in tree(page).iter("svg"):
        _, _, width, height = (float(number) for number in picture.attrib["viewBox"].split())
        for shape in picture.iter():
            for name, limit in (
                ("x", width),
                ("x1", width),
                ("x2", width),
                ("cx", width),
                ("y", height),
                ("y1", height),
                ("y2", height),
                ("cy", height),
            ):
                if name in shape.attrib:
                    assert 0 <= float(shape.attrib[name]) <= limit, (shape.tag, shape.attrib)
                    count += 1
            for pair in shape.attrib.get("points", "").split():
                across, down = (float(number) for number in pair.split(","))
                assert 0 <= across <= width
                assert 0 <= down <= height
                count += 1
    return count


def test_the_page_is_whole_and_holds_every_section_in_order():
    page = render(sample_report())
    assert Tags(page).open == []
    root = tree(page)
    assert tuple(item.text for item in root.iter("h2")) == HEADINGS
    first = root.find(".//section[@id='incident-1']")
    assert first is not None
    assert tuple(item.text for item in first.iter("h4")) == PARTS


def test_the_page_needs_nothing_from_elsewhere():
    page = render(sample_report())
    for tag, attributes in Tags(page).seen:
        assert tag not in {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
        assert "src" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in page
    assert "@import" not in page
    assert "://" not in page


def test_links_lead_somewhere():
    seen = Tags(render(sample_report())).seen
    ids = [attributes["id"] for _, attributes in seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {attributes["href"] for _, attributes in seen if "href" in attributes}
    assert targets
    assert targets <= {f"#{name}" for name in ids}


def test_hostile_texts_stay_texts():
    plain = Tags(render(sample_report()))
    page = render(sample_report(lambda text: f"{HOSTILE}{text}"))
    hostile = Tags(page)
    assert hostile.open == []
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert {tag for tag, _ in hostile.seen} <= {tag for tag, _ in plain.seen}
    assert {name for _, found in hostile.seen for name in found} <= {name for _, found in plain.seen for name in found}
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page)
    page.encode("utf-8")
    tree(page)


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=12))
def test_any_text_gives_a_whole_page(text: str):
    tree(render(sample_report(lambda own: f"{text}{own}"))).iter("h2")


def test_huge_texts_are_cut():
    assert len(render(sample_report(lambda text: text + "x" * 100_000))) < 1_000_000


def test_every_coordinate_of_the_sample_is_inside_its_picture():
    assert assert_drawn_inside(render(sample_report())) > 500


def test_every_picture_says_what_it_is():
    for picture in tree(render(sample_report())).iter("svg"):
        assert picture.get("aria-hidden") == "true" or picture.find("title") is not None


def test_an_empty_report_is_a_page_that_says_so():
    page = render(EMPTY)
    assert "The loop did not close" in page
    assert "None: nothing drifted enough to act on." in page
    assert_drawn_inside(page)


def test_incidents_without_any_part_are_shown():
    report = sample_report()
    bare = msgspec.structs.replace(report.incidents[3], title="bare")
    root = tree(render(msgspec.structs.replace(report, incidents=(bare,), refused=None)))
    section = root.find(".//section[@id='incident-1']")
    assert section is not None
    assert [item.text for item in section.iter("h4")] == ["What happened"]


def test_a_quality_that_was_not_measured_leaves_a_gap_and_says_so():
    report = sample_report()
    months = tuple(msgspec.structs.replace(month, quality=dict.fromkeys(month.quality)) for month in report.months)
    page = render(msgspec.structs.replace(report, months=months, weeks=()))
    assert "not measured" in page
    assert 'class="line c0"' not in page.split("</figure>", 1)[0].split("<figure>", 1)[1]
    assert_drawn_inside(page)


def test_the_missing_week_of_the_sample_cuts_each_line_in_two():
    figure = render(sample_report()).split('class="wide-only"', 1)[1].split("</svg>", 1)[0]
    for place in range(3):
        assert figure.count(f'class="line c{place}"') == 2


WILD = st.floats(allow_nan=True, allow_infinity=True)
INTERVALS = st.none() | st.builds(Interval, WILD, WILD, WILD)
TIMES = st.integers(-(10**16), 10**16)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TIMES, INTERVALS, INTERVALS), max_size=5), TIMES, TIMES)
def test_wild_numbers_and_times_are_drawn_inside_or_left_out(
    periods: list[tuple[int, Interval | None, Interval | None]], start: int, end: int
):
    found = tuple(
        Period(label="p", start_ms=time, rows=0, positives=0, quality={"a": one, "b": other}) for time, one, other in periods
    )
    swaps = tuple(Swap(time_ms=time, generation=1, digest="d", slot="a", reason="r") for time, _, _ in periods)
    slots = (Slot(name="a", who="w"), Slot(name="b", who="w", bar=0.1))
    report = msgspec.structs.replace(EMPTY, start_ms=start, end_ms=end, slots=slots, months=found, weeks=found, swaps=swaps)
    assert_drawn_inside(render(report))


@settings(max_examples=40, deadline=None)
@given(WILD, WILD, st.dictionaries(st.sampled_from("abc"), WILD), st.dictionaries(st.sampled_from("abc"), WILD), INTERVALS)
def test_wild_numbers_in_an_incident_are_drawn_inside_or_left_out(
    one: float, other: float, before: dict[str, float], after: dict[str, float], interval: Interval | None
):
    incident = sample_report().incidents[0]
    event = incident.events[1]
    evidence = msgspec.structs.replace(event.evidence[0], p_value=one, effect=other, before=before, after=after)
    assert incident.comparison is not None
    assert incident.plan is not None
    changed = msgspec.structs.replace(
        incident,
        events=(msgspec.structs.replace(event, evidence=(evidence,)),),
        diagnosis=(msgspec.structs.replace(incident.diagnosis[0], probability=one), *incident.diagnosis),
        alternatives=(msgspec.structs.replace(incident.alternatives[0], utility=other), *incident.alternatives),
        features=(msgspec.structs.replace(incident.features[0], gain=interval),),
        comparison=msgspec.structs.replace(incident.comparison, champion=one, difference=interval or Interval(one, other, one)),
        gates=(msgspec.structs.replace(incident.gates[0], numbers={"n": one, "m": other}),),
        plan=msgspec.structs.replace(incident.plan, steps=(msgspec.structs.replace(incident.plan.steps[0], seconds=one),)),
    )
    assert_drawn_inside(render(msgspec.structs.replace(EMPTY, incidents=(changed,))))


def test_many_incidents_and_events_stay_bounded_in_the_plot():
    report = sample_report()
    events = report.incidents[0].events * 40
    many = tuple(
        msgspec.structs.replace(report.incidents[0], id=f"i{place}", events=events, opened_ms=report.start_ms + place * 1_000_000)
        for place in range(60)
    )
    page = render(msgspec.structs.replace(report, incidents=many, refused=None))
    assert_drawn_inside(page)
    assert "74 more" in page


@pytest.mark.parametrize(("held", "word"), [(True, "✓ held"), (False, "✗ not held"), (None, "? not measured")])
def test_a_check_says_in_words_whether_it_held(*, held: bool | None, word: str):
    report = sample_report()
    assert word in render(msgspec.structs.replace(report, checks=(msgspec.structs.replace(report.checks[0], held=held),)))


def test_a_coordinate_that_is_not_finite_can_not_be_written():
    with pytest.raises(ValueError, match="finite"):
        element("line", x1=math.nan)
