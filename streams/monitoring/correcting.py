"""Which tests alarm: significant over all tests of the bucket together, and large."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from streams.contracts.events import Evidence
from streams.detectors.base import Finding


class Alarm(NamedTuple):
    """A finding that survived the correction, with its corrected p-value as evidence."""

    kind: str
    evidence: Evidence


def alarms(findings: Sequence[Finding], level: float) -> list[Alarm | None]:
    """Say for each test of one bucket whether it alarms.

    Args:
        findings: every test that was made, from all detectors.
        level: chance of any false alarm among the findings without a level of their own.
    """
    corrected = iter(holm([finding.p_value for finding in findings if finding.level is None]))
    found: list[Alarm | None] = []
    for finding in findings:
        p_value = finding.p_value if finding.level is not None else next(corrected)
        is_significant = p_value <= (level if finding.level is None else finding.level)
        found.append(_alarm(finding, p_value) if is_significant and finding.is_large else None)
    return found


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values so that comparing each with a level keeps the chance of any false rejection below that level.

    Valid under any dependence between the tests. Source: Holm, S. (1979), "A simple sequentially rejective multiple test
    procedure", Scandinavian Journal of Statistics 6, 65-70.
    """
    corrected = [0.0] * len(p_values)
    so_far = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        so_far = max(so_far, min((len(p_values) - rank) * p_values[index], 1.0))
        corrected[index] = so_far
    return corrected


def _alarm(finding: Finding, p_value: float) -> Alarm:
    evidence = Evidence(
        watched=finding.watched,
        method=finding.method,
        p_value=p_value,
        effect=finding.effect,
        effect_unit=finding.effect_unit,
        before=finding.before,
        after=finding.after,
    )
    return Alarm(finding.kind, evidence)
