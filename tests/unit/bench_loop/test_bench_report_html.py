from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree as ET

import msgspec
import pytest
from bench_report_sample import PLOTS, sample_report
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.report.wording import MISSING
from tests.bench.closed_loop.report.html import render
from tests.bench.closed_loop.report.model import (
    BenchReport,
    IncidentResult,
    Injected,
    Judgement,
    PolicyResult,
    Promotion,
    Quality,
    ScenarioResult,
)

HEADINGS = ("Over all scenarios", "Bars by scenario", "Policies", "Quality by policy", "Costs", "Scenarios", "Metrics")
TABLES = (
    "What driftwake said and did, and what the scenario accepts",
    "Bars of this scenario",
    f"All policies in numbers; {MISSING} where a metric doesn't apply",
    "Incidents of driftwake",
    "average precision by week",
    "Promotions",
)
HOSTILE = "<script>alert(1)</script>\"' onload='x' ]]> -->&amp;\x1b[31m\x00\u202e\ud800\U000e0001"
BARE = ScenarioResult(id="C0", title="t", data="d", seed=0, start_ms=0, end_ms=1, quality_metric="q")


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


def words(part: ET.Element) -> str:
    return " ".join("".join(part.itertext()).split())


def section(page: str, place: int) -> ET.Element:
    found = tree(page).find(f".//section[@id='scenario-{place}']")
    assert found is not None
    return found


def cells(page: str, caption: str, row: int) -> list[str]:
    table = next(table for table in tree(page).iter("table") if words(table.find("caption")) == caption)  # type: ignore[arg-type]
    return [words(cell) for cell in list(table.findall("tbody/tr")[row])]


def assert_drawn_inside(page: str) -> None:
    for picture in tree(page).iter("svg"):
        _, _, width, height = (float(number) for number in picture.attrib["viewBox"].split())
        for shape in picture.iter():
            for name, limit in [(name, width) for name in ("x", "x1", "x2", "cx")] + [
                (name, height) for name in ("y", "y1", "y2", "cy")
            ]:
                assert 0 <= float(shape.get(name, "0")) <= limit, (shape.tag, shape.attrib)
            for pair in shape.get("points", "").split():
                across, down = (float(number) for number in pair.split(","))
                assert 0 <= across <= width
                assert 0 <= down <= height


def test_the_page_holds_every_section_and_every_scenario_in_order():
    page = render(sample_report())
    assert Tags(page).open == []
    root = tree(page)
    assert tuple(item.text for item in root.iter("h2")) == HEADINGS
    assert [item.text for item in root.iter("h3")] == [f"{plot.id}: {plot.title}" for plot in PLOTS]
    assert tuple(item.text for item in section(page, 9).iter("caption")) == TABLES
    assert "23 bars held, 5 missed, 5 not measured" in words(root)


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
    assert len(targets) == len(PLOTS)
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
    assert_drawn_inside(page)


@settings(max_examples=8, deadline=None)
@given(st.text(max_size=12))
def test_any_text_gives_a_whole_page(text: str):
    tree(render(sample_report(lambda own: f"{text}{own}")))


def test_bars_say_held_and_missed_in_words():
    caption = "driftwake against each scenario's bars; a cell without a verdict has no bar"
    page = render(sample_report())
    assert cells(page, caption, 0)[:4] == ["C0calm", "✓ right nothing", "✓ right nothing", "✓ held 0 at most 0"]
    assert "✗ missed 1,312 at most 1,000" in cells(page, caption, 2)
    assert cells(page, caption, 4)[1:3] == [
        "✗ wrong concept change; accepted: recurring",
        "✗ wrong retrain; accepted: restore archived",
    ]
    assert "? not measured at most 500" in cells(page, caption, 4)
    assert cells(page, caption, 10)[2] == "✗ forbidden retrain; accepted: alert upstream"
    assert cells(page, caption, 19)[1] == "? did not run"


def test_a_scenario_that_did_not_run_says_why_and_counts_no_bar_as_held():
    page = render(sample_report())
    said = words(section(page, 20))
    assert "✗ Did not run to its endthe broker did not come back within 60 s" in said
    assert "✓ held" not in said
    assert "C19, did not run to its end: the broker did not come back within 60 s" in words(tree(page))


def test_values_that_are_missing_are_not_measured_and_metrics_that_do_not_apply_are_a_dash():
    page = render(sample_report())
    rows = {words(row[0]): [words(cell) for cell in row[1:]] for row in section(page, 9).iter("tr")}
    assert rows["time to recover"][1] == "not measured"
    assert rows["time to detect"][1:] == [MISSING] * 4
    calm = {words(row[0]): [words(cell) for cell in row[1:]] for row in section(page, 1).iter("tr")}
    assert calm["recovered share"] == ["not measured"] * 5


def test_the_best_policy_is_bold_but_never_one_that_knows_the_future():
    root = tree(render(sample_report()))
    row = next(row for row in root.iter("tr") if words(row).startswith("C11anew attack on terminals, denseaverage"))
    bold = [cell.get("data-label") for cell in row if "best" in (cell.get("class") or "")]
    assert bold == ["driftwake"]


def test_metrics_are_explained():
    page = render(sample_report())
    rows = [cells(page, "What the metrics measure", place)[0] for place in range(4)]
    assert rows == ["alerts", "time to detect", "time to hold out", "time to recover"]


def test_a_week_that_was_not_measured_cuts_each_line_in_two():
    picture = section(render(sample_report()), 7).find(".//svg[@role='img']")
    assert picture is not None
    for place in range(5):
        assert len(picture.findall(f".//polyline[@class='line c{place}']")) == 2


def test_the_plot_marks_what_happened():
    picture = section(render(sample_report()), 18).find(".//svg[@role='img']")
    assert picture is not None
    texts = [words(item) for item in picture.iter("text")]
    assert {
        "onset",
        "gen 2",
        "12 bursts a day",
        "weekly, 7 swaps",
        "driftwake, 1 swap",
        "driftwake's incidents",
        "1",
        "2",
    } <= set(texts)


def test_every_onset_is_marked_and_only_the_one_that_counts_is_named():
    start, end = 0, 20 * 86_400_000
    quality = (Quality(label="a", start_ms=start, value=0.5),)
    onsets = {"onset_ms": end // 2, "other_onsets_ms": (end // 4, 2 * end)}
    scenario = msgspec.structs.replace(
        BARE, end_ms=end, policies=(PolicyResult(name="driftwake", who="w", quality=quality),), **onsets
    )
    picture = section(render(BenchReport(version="1", scenarios=(scenario,))), 1).find(".//svg[@role='img']")
    assert picture is not None
    assert len(picture.findall(".//line[@class='onset']")) == 1
    assert [line.attrib["x1"] for line in picture.findall(".//line[@class='onset other']")] == ["288.5"]
    assert [words(text) for text in picture.findall(".//text[@class='onset-name']")] == ["onset"]


def test_of_two_things_at_once_both_are_asked_for():
    judgement = Judgement(
        accepted=("new_segment", "concept_change"), second=("data_break",), said=("new_segment",), is_right=False
    )
    scenario = msgspec.structs.replace(BARE, diagnosis=judgement)
    assert "accepted: new segment, concept change; and data break" in words(
        tree(render(BenchReport(version="1", scenarios=(scenario,))))
    )


def test_a_cost_line_is_drawn_for_each_policy_with_a_bill():
    page = render(sample_report())
    fraud, other, failed = (section(page, place).find(".//svg[@class='plot cost']") for place in (9, 15, 20))
    assert fraud is not None
    assert other is None
    assert failed is None
    heights = {}
    for line in fraud.findall("g"):
        shape = line.find("polyline")
        assert shape is not None
        heights[words(line)] = [float(point.split(",")[1]) for point in shape.attrib["points"].split()]
    assert set(heights) == {"driftwake", "never", "weekly", "loss_alarm", "oracle"}
    # Never trains: its cost doesn't depend on the price. Weekly's does, and ends as the highest.
    assert len(set(heights["never"])) == 1
    assert heights["weekly"] == sorted(heights["weekly"], reverse=True)
    assert min(heights, key=lambda name: heights[name][-1]) == "weekly"


def test_costs_are_summed_over_the_scenarios_whose_rows_have_an_amount():
    page = render(sample_report())
    caption = "Over the 12 scenarios whose rows have an amount; only policies that took part in each"
    rows = {words(row[0]): [words(cell) for cell in row[1:]] for row in tree(page).iter("tr") if len(row) == 8}
    fraud = [plot for plot in PLOTS if plot.data == "fraud" and plot.id != "C19"]
    missed = sum(90_000 * (1 + plot.falls[1]) for plot in fraud)
    assert cells(page, caption, 0)[0] == "driftwake"
    assert rows["never"][:4] == ["0", "0", "0", f"{round(missed):,}"]
    weekly = sum(plot.retrains[2] for plot in fraud)
    weekly_missed = sum(90_000 * (1 + plot.falls[2]) for plot in fraud)
    assert rows["weekly"] == [
        str(weekly),
        "0",
        "0",
        *(f"{round(weekly_missed + price * weekly):,}" for price in (0, 1, 100, 10_000)),
    ]


def test_every_coordinate_is_inside_its_picture_and_every_picture_says_what_it_is():
    page = render(sample_report())
    assert_drawn_inside(page)
    for picture in tree(page).iter("svg"):
        assert picture.get("aria-hidden") == "true" or picture.find("title") is not None


def test_names_of_lines_never_overlap():
    policies = tuple(
        PolicyResult(name=f"policy {place}", who="w", quality=(Quality(label="a", start_ms=0, value=0.5),)) for place in range(9)
    )
    page = render(BenchReport(version="1", scenarios=(msgspec.structs.replace(BARE, policies=policies),)))
    assert_drawn_inside(page)
    names = [item for item in tree(page).iter("text") if (item.get("class") or "").startswith("named")]
    heights = sorted(float(item.attrib["y"]) for item in names)
    assert len(heights) == 9
    assert all(below - above >= 13.9 for above, below in pairwise(heights))
    assert len({item.get("class") for item in names}) == 9


def test_empty_reports_and_scenarios_are_pages_that_say_so():
    assert "No scenario was run." in render(BenchReport(version="1"))
    said = words(tree(render(BenchReport(version="1", scenarios=(BARE,)))))
    for part in ("no bars", "This scenario has no bars.", "Quality over time: not measured.", "No incident was opened."):
        assert part in said


@pytest.mark.parametrize(("held", "sign"), [(True, "✓ 1 bars held"), (False, "✗ 0 bars held"), (None, "✗ 0 bars held")])
def test_only_a_report_with_every_bar_held_is_good(*, held: bool | None, sign: str):
    bar = msgspec.structs.replace(sample_report().bars[0], held=held)
    assert sign in words(tree(render(BenchReport(version="1", bars=(bar,)))))


WILD = st.none() | st.floats(allow_nan=True, allow_infinity=True)
TIMES = st.integers(-(10**16), 10**16)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(TIMES, WILD), max_size=5), TIMES, TIMES, TIMES)
def test_wild_numbers_and_times_are_drawn_inside_or_left_out(
    found: list[tuple[int, float | None]], start: int, end: int, onset: int
):
    policy = PolicyResult(
        name="driftwake",
        who="w",
        quality=tuple(Quality(label="p", start_ms=time, value=value) for time, value in found),
        mean_quality=found[0][1] if found else None,
        promotions=tuple(Promotion(time_ms=time, generation=place) for place, (time, _) in enumerate(found)),
    )
    scenario = msgspec.structs.replace(
        BARE,
        start_ms=start,
        end_ms=end,
        onset_ms=onset,
        policies=(policy,),
        injected=tuple(Injected(what="x" * 90, start_ms=time, end_ms=onset) for time, _ in found),
        incidents=tuple(IncidentResult(opened_ms=time, closed_ms=onset, state="open") for time, _ in found * 3),
        values={f"{place}_ms": {"driftwake": value} for place, (_, value) in enumerate(found)},
    )
    assert_drawn_inside(render(BenchReport(version="1", scenarios=(scenario,))))
