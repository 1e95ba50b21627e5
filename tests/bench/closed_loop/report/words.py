"""How bars and values of metrics read. A unit in a metric's name leaves the name and joins the value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from daemon.report.markup import Markup, element
from daemon.report.wording import duration, finite, minus, number
from tests.bench.closed_loop.report.model import Bar, BenchReport, Judgement

NOT_MEASURED = "not measured"
NEVER = "never"
NOTHING = "nothing"
Tone = Literal["good", "bad", "unclear"]
_SECONDS = {"_ms": 0.001, "_seconds": 1.0, "_minutes": 60.0, "_hours": 3_600.0, "_days": 86_400.0}
_HOURS_TO = "hours_to_"


def metric_text(metric: str) -> str:
    """Write a metric's name for people."""
    plain = f"time_{metric.removeprefix('hours_')}" if metric.startswith(_HOURS_TO) else metric.removesuffix(_unit(metric))
    return plain.replace("_", " ")


def value_text(metric: str, value: float | None) -> str:
    """Write a value of a metric; None and what isn't finite is not measured."""
    if value is None or not finite(value):
        return NOT_MEASURED
    seconds = _SECONDS["_hours"] if metric.startswith(_HOURS_TO) else _SECONDS.get(_unit(metric))
    return number(value) if seconds is None else minus("-" if value < 0 else "") + duration(abs(value) * seconds)


def limit_text(bar: Bar) -> str:
    """Write what a bar asks for."""
    ends = [("at least", bar.at_least), ("at most", bar.at_most)]
    return " and ".join(f"{word} {value_text(bar.metric, limit)}" for word, limit in ends if limit is not None) or "no limit"


def days_text(bar: Bar) -> str:
    """Write which days a bar covers; nothing when it covers all that is scored."""
    first, last = bar.first_day, bar.last_day
    if first is None and last is None:
        return ""
    if first is None or last is None:
        return f"from day {first}" if last is None else f"to day {last}"
    return f"day {first}" if first == last else f"days {first} to {last}"


def measured_text(bar: Bar) -> str:
    """Write what was measured against a bar; what was waited for and never came, misses it without a number."""
    return NEVER if bar.value is None and bar.held is False else value_text(bar.metric, bar.value)


def held_text(*, held: bool | None) -> str:
    """Write how a bar ended."""
    return NOT_MEASURED if held is None else "held" if held else "missed"


def tone(*, held: bool | None) -> Tone:
    """Return the colour of how a bar ended, which never stands without a word."""
    return "unclear" if held is None else "good" if held else "bad"


def held_tag(*, held: bool | None) -> Markup:
    """Show how a bar ended."""
    return judged_tag(held_text(held=held), held=held)


def judged_tag(text: str, *, held: bool | None) -> Markup:
    """Show a judgement in words of its own, with a sign beside its colour."""
    kind = tone(held=held)
    return element("span", {"good": "✓ ", "bad": "✗ ", "unclear": "? "}[kind] + text, class_=f"tag {kind}")


def judgement_tag(judgement: Judgement) -> Markup:
    """Show whether what was said or done is right, wrong or forbidden."""
    held = judgement.held
    word = NOT_MEASURED if held is None else "right" if held else "forbidden" if judgement.broken else "wrong"
    return judged_tag(word, held=held)


def listed(words: Iterable[str]) -> str:
    """Write causes or actions in the order in which they first came, each once with how often."""
    counts = Counter(words)
    said = (word.replace("_", " ") + (f" \N{MULTIPLICATION SIGN} {count}" if count > 1 else "") for word, count in counts.items())
    return ", ".join(said) or NOTHING


def accepted_text(judgement: Judgement) -> str:
    """Write what would have been right; of two things at once one of each."""
    return listed(judgement.accepted) + (f"; and {listed(judgement.second)}" if judgement.second else "")


def plural(count: int, what: str) -> str:
    """Write a count with its noun."""
    return f"{number(count)} {what}" if count == 1 else f"{number(count)} {what}s"


def names_of(report: BenchReport) -> list[str]:
    """Name each scenario by its id, and by its seed as well where any was run with several."""
    ids = [scenario.id for scenario in report.scenarios]
    has_seeds = len(set(ids)) < len(ids)
    return [f"{one.id}, seed {one.seed}" if has_seeds else one.id for one in report.scenarios]


def _unit(metric: str) -> str:
    return next((unit for unit in _SECONDS if metric.endswith(unit)), "")
