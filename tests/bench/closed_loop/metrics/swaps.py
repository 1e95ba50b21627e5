"""Whether promotions were right, judged by what was measured once the labels had matured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from skills._kit.frames import Floats
from skills._kit.metrics import Estimate
from tests.bench.closed_loop.metrics.measures import RANKED, Metric, difference
from tests.bench.closed_loop.metrics.scored import Span

NOTHING_TO_RETRAIN = frozenset({"C0", "C5", "C8", "C9", "C10", "C15"})
"""Scenarios where every promotion of a newly trained bundle is needless."""

LEAST_ROWS = 20
LEAST_OF_A_CLASS = 10
"""Ranks of fewer rows of a class say nothing about a bundle, whatever the bootstrap makes of them."""

MARGIN = 0.01
"""Differences under this mean nothing."""


class Compared(NamedTuple):
    """A new bundle against the one before it, on rows that both scored. `gain`: new less old; None: it isn't computable."""

    rows: int
    gain: Estimate | None

    @property
    def is_harmful(self) -> bool | None:
        """Whether the new one is worse beyond doubt: its whole 99.9 % interval lies below zero; None when not computable."""
        return None if self.gain is None else self.gain.high999 < 0


class GateQuality(NamedTuple):
    """Shares of the gate's verdicts that proved right, and how many verdicts each is over; None over none."""

    rightly_promoted: float | None
    promoted: int
    rightly_refused: float | None
    refused: int


def compared(metric: Metric, label: Floats, new: Floats, old: Floats, *, seed: int) -> Compared:
    """Compare what served after a promotion with the old champion's shadow, over the rows from one promotion to the next.

    Columns are in order of event time [rows]. Rows where any of the three is NaN are left out. The measure is over all rows
    together, also where live quality is averaged by period. Not computable under `LEAST_ROWS` rows, where the measure has no
    value, and for average precision and AUC under `LEAST_OF_A_CLASS` rows of either class.
    """
    both = np.isfinite(label) & np.isfinite(new) & np.isfinite(old)
    rows = int(both.sum())
    if rows < LEAST_ROWS or (metric in RANKED and _rarer(label[both]) < LEAST_OF_A_CLASS):
        return Compared(rows, None)
    gain = difference(metric, label[both], new[both], old[both], seed=seed)
    return Compared(rows, gain if np.isfinite(gain).all() else None)


def harmful_swaps(promotions: Iterable[Compared]) -> int | None:
    """Count the harmful promotions: 0 without any promotion, None when there are some and none could be judged."""
    verdicts = [one.is_harmful for one in promotions]
    judged = [verdict for verdict in verdicts if verdict is not None]
    return sum(judged) if judged or not verdicts else None


def needless_retrains(scenario: str, trained_promotions: int) -> int | None:
    """Return how many promotions of newly trained bundles were needless; None in scenarios where a retrain may be right.

    Bringing an archived bundle back and rolling back are no such promotions.
    """
    return trained_promotions if scenario in NOTHING_TO_RETRAIN else None


def restored_ms(champions: Sequence[tuple[int, str]], since_ms: int) -> int | None:
    """Return when, at or after a moment, a bundle became champion that had been replaced before it; None when never.

    `champions` are (effective ms, digest) of all deployments in the order of their generations; those that change other slots
    only repeat the digest.
    """
    before = [digest for effective_ms, digest in champions if effective_ms < since_ms]
    archived = set(before) - set(before[-1:])
    return next((effective for effective, digest in champions if effective >= since_ms and digest in archived), None)


def taken_back(champions: Sequence[tuple[int, str]], digest: str) -> Span | None:
    """Return when a bundle was champion until the one it replaced came back; None when it never was, or that never did.

    `champions` are as in `restored_ms`.
    """
    place = next((place for place, one in enumerate(champions) if one[1] == digest), 0)
    if place == 0:
        return None
    (since_ms, _), before = champions[place], champions[place - 1][1]
    back_ms = next((effective_ms for effective_ms, other in champions[place:] if other == before), None)
    return None if back_ms is None else Span(since_ms, back_ms)


def gate_quality(verdicts: Iterable[tuple[bool, Compared]]) -> GateQuality:
    """Judge the gate: pairs of (was it promoted, challenger compared with champion on rows after the verdict).

    A promotion was right when the challenger proved better, a refusal when it proved worse. Verdicts over differences below
    `MARGIN` either way, and over ones that aren't computable, are left out.
    """
    judged = [(promoted, one.gain.value) for promoted, one in verdicts if one.gain is not None and abs(one.gain.value) >= MARGIN]
    promoted = [gain > 0 for was_promoted, gain in judged if was_promoted]
    refused = [gain < 0 for was_promoted, gain in judged if not was_promoted]
    return GateQuality(_share(promoted), len(promoted), _share(refused), len(refused))


def _rarer(label: Floats) -> int:
    positives = int((label > 0.5).sum())
    return min(positives, len(label) - positives)


def _share(claims: list[bool]) -> float | None:
    return sum(claims) / len(claims) if claims else None
