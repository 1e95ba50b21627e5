"""Whether driftwake's verdicts on challengers proved right, on rows whose truth the gate hadn't seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from daemon.report.model import Deployed, IncidentReport
from tests.bench.closed_loop.measured.case import NOT_FOR_IT, Judged, Part, promotions
from tests.bench.closed_loop.metrics.swaps import Compared, GateQuality, compared, gate_quality
from tests.bench.closed_loop.runner import DRIFTWAKE


class Ruled(NamedTuple):
    """A verdict on a challenger that live rows were seen of: when, on whom, against which champion, and what it was."""

    time_ms: int
    challenger: str
    champion: str
    is_promoted: bool


def rightly_promoted(judged: Judged, policy: str, part: Part) -> float | None:
    """Return the share of the promotions that proved right; None where none could be judged."""
    return _gate(judged, part).rightly_promoted if policy == DRIFTWAKE else NOT_FOR_IT


def rightly_refused(judged: Judged, policy: str, part: Part) -> float | None:
    """Return the share of the refusals that proved right; None where none could be judged."""
    return _gate(judged, part).rightly_refused if policy == DRIFTWAKE else NOT_FOR_IT


def _gate(judged: Judged, part: Part) -> GateQuality:
    span = judged.played_span(part)
    ruled = [one for incident in judged.played.incidents if (one := _ruled(judged, incident)) is not None]
    inside = [one for one in ruled if span.since_ms <= one.time_ms < span.until_ms]
    return gate_quality((one.is_promoted, _afterwards(judged, one)) for one in inside)


def _ruled(judged: Judged, incident: IncidentReport) -> Ruled | None:
    """Read an incident's verdict; None without one, or where the challenger was refused before it scored any live row."""
    shadowed = _deployed(incident, "shadow")
    promoted = _deployed(incident, "promoted")
    if not incident.gates or shadowed is None:
        return None
    if promoted is not None:
        return Ruled(promoted.time_ms, shadowed.digest, _champion_before(judged, promoted), is_promoted=True)
    if incident.state == "refused" and incident.closed_ms is not None:
        return Ruled(incident.closed_ms, shadowed.digest, _champion_before(judged, shadowed), is_promoted=False)
    return None


def _deployed(incident: IncidentReport, what: str) -> Deployed | None:
    return next((one for one in incident.deployments if one.what == what), None)


def _champion_before(judged: Judged, deployed: Deployed) -> str:
    return [one.champion for one in judged.played.deployments if one.generation < deployed.generation][-1]


def _afterwards(judged: Judged, ruled: Ruled) -> Compared:
    """Compare both on rows that both scored, before another swap, and whose truth became known after the verdict."""
    served = judged.played.served
    known_ms = judged.data.rows["known_ms"].to_numpy(np.float64)[served.place]
    next_ms = min((one.time_ms for one in promotions(judged, DRIFTWAKE) if one.time_ms > ruled.time_ms), default=np.inf)
    rows = (known_ms > ruled.time_ms) & (served.time_ms < next_ms)
    challenger, champion = (served.by(digest, DRIFTWAKE)[rows] for digest in (ruled.challenger, ruled.champion))
    return compared(judged.data.metric, served.label[rows], challenger, champion, seed=judged.scenario.seed)
