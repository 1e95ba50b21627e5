"""Everything a bench report shows, as plain data. Filled by the runner; written beside the page as JSON.

Times are virtual, epoch milliseconds. What could not be measured is None, and a number that isn't finite counts as such: it
becomes null on its way through JSON. Nothing here says when a run began, and wall figures stand in `Pace` and in bars on
`WALL_METRICS` alone, so two runs of the same scenarios give the same bytes without them.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

OURS = "driftwake"

WALL_METRICS = frozenset({"p99_ratio"})
"""Metrics that are measured by the wall clock: they have bars, and their figures stand in `Pace`."""


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """One policy's quality over one period of event time, which ends where the next begins."""

    label: str
    start_ms: int
    value: float | None


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """From this time on a policy's slot was served by another bundle. `why` is in the policy's own words."""

    time_ms: int
    generation: int
    digest: str = ""
    why: str = ""


class PolicyResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one policy's slot. `retrains` counts fits, `promotions` those that came to serve; `who` is for people."""

    name: str
    who: str
    quality: tuple[Quality, ...] = ()
    mean_quality: float | None = None
    retrains: int = 0
    promotions: tuple[Promotion, ...] = ()


class IncidentResult(msgspec.Struct, frozen=True, kw_only=True):
    """One incident of driftwake. `closed_ms` is None while it is open; cause and action are empty where none was named."""

    opened_ms: int
    closed_ms: int | None = None
    cause: str = ""
    action: str = ""
    state: str


class Injected(msgspec.Struct, frozen=True, kw_only=True):
    """What the scenario did to the stream in [start_ms, end_ms), in a few words."""

    what: str
    start_ms: int
    end_ms: int


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A bar and what was measured against it. `held` is None when it wasn't measured, which never counts as held.

    Missed without a value: what was waited for never came.

    Days count from the data set's epoch, both included; None is the scenario's whole scored span.
    """

    metric: str
    policy: str = OURS
    at_least: float | None = None
    at_most: float | None = None
    first_day: int | None = None
    last_day: int | None = None
    value: float | None
    held: bool | None


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What driftwake said or did, in its order, against what the scenario accepts and forbids.

    Where two things happened at once, `second` is what is accepted for the other one. Nothing accepted means that nothing
    happened, so that saying nothing is right. `is_right` is None where nothing could be read.
    """

    accepted: tuple[str, ...] = ()
    second: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    is_right: bool | None = None

    @property
    def broken(self) -> tuple[str, ...]:
        """What was said or done although it is forbidden."""
        return tuple(word for word in self.said if word in self.forbidden)

    @property
    def held(self) -> bool | None:
        """Whether it was right and nothing of it forbidden."""
        return False if self.broken else self.is_right


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How fast a scenario was replayed: the only figures that differ between two runs of it, but for the bars on them.

    Latencies are milliseconds from a request's append to its answer's, in buckets without a swap and in those with one.
    """

    wall_seconds: float | None
    events: int
    events_per_second: float | None
    virtual_to_wall: float | None
    p99_before_ms: float | None = None
    p99_during_ms: float | None = None


class ScenarioResult(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario with one seed.

    Parameters:
        quality_metric: the quality the policies are compared by, for people ("average precision by week").
        onset_ms: when the scenario's change begins; None when nothing happens.
        other_onsets_ms: when anything else begins.
        values: by metric, then by policy. A policy that isn't named is one that the metric doesn't apply to.
        daily_retrains: how often a retrain a day would have trained, counted by its rule; None where nobody counted.
        failed: why the scenario did not run to its end; None when it did. Its bars count as not measured.
        log_digest: SHA-256 of the event log in its order.
        code: digest of the code that played it.
    """

    id: str
    title: str
    data: str
    seed: int
    start_ms: int
    end_ms: int
    quality_metric: str
    onset_ms: int | None = None
    other_onsets_ms: tuple[int, ...] = ()
    injected: tuple[Injected, ...] = ()
    policies: tuple[PolicyResult, ...] = ()
    incidents: tuple[IncidentResult, ...] = ()
    bars: tuple[Bar, ...] = ()
    values: dict[str, dict[str, float | None]] = {}
    diagnosis: Judgement = Judgement()
    action: Judgement = Judgement()
    daily_retrains: int | None = None
    pace: Pace | None = None
    failed: str | None = None
    log_digest: str = ""
    code: str = ""


class BenchReport(msgspec.Struct, frozen=True, kw_only=True):
    """A run of the bench. `version` is driftwake's; `bars` are those over all scenarios together."""

    title: str = "driftwake: closed-loop bench"
    version: str
    scenarios: tuple[ScenarioResult, ...] = ()
    bars: tuple[Bar, ...] = ()


def without_pace(report: BenchReport) -> BenchReport:
    """Return the report without its wall figures and what bars made of them, for comparing two runs."""
    scenarios = tuple(
        msgspec.structs.replace(scenario, pace=None, bars=tuple(_without_wall(bar) for bar in scenario.bars))
        for scenario in report.scenarios
    )
    return msgspec.structs.replace(report, scenarios=scenarios)


def _without_wall(bar: Bar) -> Bar:
    return msgspec.structs.replace(bar, value=None, held=None) if bar.metric in WALL_METRICS else bar


def encode_report(report: BenchReport) -> bytes:
    """Write the report as JSON: the same bytes for equal reports, in whatever order their dictionaries were filled.

    Raises:
        TypeError: it holds something else than numbers and texts.
        msgspec.ValidationError: a field holds something of another type than it declares.
    """
    # Read once, a whole number in a field for any number becomes 0.0 from 0, as it would on its next way through JSON.
    known = decode_report(msgspec.json.encode(report, enc_hook=_builtin))
    return msgspec.json.format(msgspec.json.encode(known, order="deterministic"), indent=1) + b"\n"


def decode_report(data: bytes) -> BenchReport:
    """Read what `encode_report` wrote.

    Raises:
        msgspec.MsgspecError: it isn't such a report.
    """
    return msgspec.json.decode(data, type=BenchReport)


def _builtin(value: Any) -> Any:
    """Numbers that come out of numpy pass as themselves."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a report holds numbers and texts, not {type(value).__name__}")
