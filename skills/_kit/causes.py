"""From evidence to causes: each rule gives its cause a weight from 0 to 1, and the weights share out the probability.

The rules are written down so that people can check them: `explain` names the numbers that moved each weight.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

Cause = Literal[
    "upstream_data_break",
    "harmless_shift",
    "harmful_shift",
    "concept_change",
    "new_segment",
    "recurring_regime",
    "label_trouble",
    "serving_bug",
    "bad_swap",
    "false_alarm",
]
UNTRUSTED: frozenset[Cause] = frozenset({"upstream_data_break", "serving_bug", "label_trouble"})
"""While one of them holds, rows and labels don't say what a model could learn from them."""

# What no rule speaks for keeps this weight: nothing is impossible.
_FLOOR = 0.01
_CONFIRMED = 0.6
# What scores let expect holds while labels follow the scores as before, and nobody knows whether they do.
_MOST_EXPECTED = 0.8
_MOST_FAVOUR = 50.0
_OF_INPUTS = ("feature_drift", "score_drift", "data_quality", "values")


class Signs(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence that the rules read, all numbers.

    `loss_z` is how many standard errors the recent loss lies above the reference (null without labels), `loss_change` its
    relative change, and `quality_drop` how far the metric's interval lies below its reference (0 when it doesn't). `estimated_z`
    and `estimated_change` are the same as of the loss, for the loss that the scores let expect (null without an estimate); it
    speaks where there are no labels. `psi` is the largest among the features; `missing`, `strange` and `scale` are the worst of
    any feature, `windows_missing` and `windows_strange` of any window; `dead` counts features that have come to a standstill;
    `flagged` is the share of suspect rows; `mismatch` the share of rescored rows that were served another score; `recurring` how
    much nearer an earlier stretch of history is than the reference, 0 to 1. `delay_ratio` is the recent label delay over the
    earlier one; `one_class` and `corrected` say that labels are all alike, and which share was corrected. `segment_excess` is the
    share of the excess loss in rows of new or grown categories, `segment_share` their share of rows. `swap_chance` is how often a
    change would begin so soon after our own last deployment by chance (1 where it didn't begin after one), `swap_days` after how
    many days it did; `swap_loss_z`, `swap_loss_change` and `swap_psi` are what loss and inputs did from just before the
    deployment to just after it. `told` is what confirmed events speak of, and how surely each is of something real: their kinds,
    or `labels` where they say how labels come and `values` where it is missing and strange values that they have seen. `returned`
    is by how much an earlier champion is surely better since the change, in the metric, 0 when none is; `compared` of them were
    compared, on the newest `compared_rows` rows.
    """

    loss_z: float | None
    loss_change: float
    quality_drop: float
    estimated_z: float | None
    estimated_change: float
    psi: float
    missing: float
    strange: float
    scale: float
    dead: int
    flagged: float
    mismatch: float
    recurring: float
    delay_ratio: float
    one_class: bool
    corrected: float
    labels_missing: bool
    segment_excess: float
    segment_share: float
    swap_days: float
    swap_chance: float
    swap_loss_z: float | None
    swap_loss_change: float
    swap_psi: float
    told: dict[str, float]
    returned: float = 0.0
    windows_missing: float = 0.0
    windows_strange: float = 0.0
    compared: int = 0
    compared_rows: int = 0


class WeighedCause(msgspec.Struct, frozen=True, kw_only=True):
    """A cause, its probability, and the numbers that speak for it."""

    cause: Cause
    probability: float
    evidence: dict[str, float]


def weigh(signs: Signs) -> list[WeighedCause]:
    """Return all causes, the most probable first; the probabilities sum to 1."""
    broken, harm, shift = _broken(signs), _harm(signs), ramp(signs.psi, 0.1, 0.4)
    served, trouble = _served_wrong(signs), _trouble(signs)
    segment = ramp(signs.segment_share, 0.01, 0.1) * ramp(signs.segment_excess, 0.2, 0.6) * harm
    calm = (1 - broken) * (1 - served)
    # A bundle of before that is better now has seen it, whether or not the inputs show it.
    again = max(signs.recurring * shift * 0.8, ramp(signs.returned, 0.0, 0.02) * harm * 0.9) * calm
    swapped = _swapped(signs) * calm * (1 - trouble)
    weights: dict[Cause, float] = {
        "upstream_data_break": broken,
        "serving_bug": served,
        "label_trouble": trouble,
        "bad_swap": swapped,
        # A break hurts all rows that it touches: it doesn't explain that those of one kind are the worse ones.
        "new_segment": segment * (1 + calm) / 2,
        "recurring_regime": again * (1 - swapped),
        "harmful_shift": harm * shift * calm * (1 - segment) * (1 - trouble) * (1 - again) * (1 - swapped),
        "concept_change": harm * (1 - shift) * calm * (1 - segment) * (1 - trouble) * (1 - again) * (1 - swapped),
        "harmless_shift": (1 - harm) * shift * calm * (1 - again) * (1 - swapped),
        "false_alarm": (1 - harm) * (1 - shift) * calm * (1 - trouble) * (1 - swapped),
    }
    total = sum(weights.values()) + _FLOOR * len(weights)
    numbers = explain(signs)
    found = [
        WeighedCause(cause=cause, probability=(weight + _FLOOR) / total, evidence=numbers[cause])
        for cause, weight in weights.items()
    ]
    return sorted(found, key=lambda one: (-one.probability, one.cause))


def explain(signs: Signs) -> dict[Cause, dict[str, float]]:
    """Return the numbers that each cause's rule reads."""
    loss = {
        "loss_z": signs.loss_z if signs.loss_z is not None else float("nan"),
        "loss_change": signs.loss_change,
        "quality_drop": signs.quality_drop,
        "estimated_loss_change": signs.estimated_change,
        "credence_of_loss_alarms": _told_of_loss(signs),
    }
    shift = {"largest_psi": signs.psi}
    return {
        "upstream_data_break": {
            "missing_change": signs.missing,
            "windows_missing_change": signs.windows_missing,
            "windows_strange_share": signs.windows_strange,
            "strange_share": signs.strange,
            "scale_log10": signs.scale,
            "columns_of_one_value": float(signs.dead),
            "flagged_share": signs.flagged,
            "credence_of_data_alarms": max(signs.told.get(kind, 0.0) for kind in ("data_quality", "values")),
        },
        "serving_bug": {"rescored_mismatch_share": signs.mismatch},
        "bad_swap": {
            "days_after_own_deployment": signs.swap_days if signs.swap_chance < 1 else float("nan"),
            "chance_of_so_soon": signs.swap_chance,
            "loss_z_at_deployment": signs.swap_loss_z if signs.swap_loss_z is not None else float("nan"),
            "loss_change_at_deployment": signs.swap_loss_change,
            "psi_at_deployment": signs.swap_psi,
        },
        "label_trouble": {
            "delay_ratio": signs.delay_ratio,
            "corrected_share": signs.corrected,
            "one_class": float(signs.one_class),
            "labels_missing": float(signs.labels_missing),
        },
        "new_segment": {"segment_share": signs.segment_share, "segment_excess_share": signs.segment_excess},
        "recurring_regime": {
            "nearness_to_history": signs.recurring,
            "earlier_champion_gain": signs.returned,
            "earlier_champions_compared": float(signs.compared),
            "earlier_champions_rows": float(signs.compared_rows),
            **shift,
        },
        "harmful_shift": {**loss, **shift},
        "concept_change": {**loss, **shift},
        "harmless_shift": {**loss, **shift},
        "false_alarm": {**loss, **shift},
    }


def ramp(value: float, low: float, high: float) -> float:
    """Return 0 up to `low`, 1 from `high`, and a straight line between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _broken(signs: Signs) -> float:
    # Categories of a new segment are strange to the reference, and sound.
    new = signs.segment_share * ramp(signs.segment_excess, 0.2, 0.6)
    sizes = (
        (signs.missing, 0.05, 0.3),
        (signs.strange - new, 0.02, 0.2),
        (abs(signs.scale), 0.5, 1.0),
        (signs.flagged, 0.02, 0.2),
    )
    # Windows are missing where nothing came before, of new keys, say, and strange where much did. Only many at once are a break.
    histories = max(ramp(signs.windows_missing, 0.05, 0.3), ramp(signs.windows_strange, 0.05, 0.3))
    seen = max(1.0 if signs.dead else 0.0, histories, *(ramp(size, low, high) for size, low, high in sizes))
    # That values are missing or strange beyond chance is no break yet: values that wander leave the range of before, too.
    # The same of windows; where columns moved, keys may be new, and windows over those are empty.
    empty = ramp(signs.windows_missing, 0.0, 0.05) * (1 - ramp(signs.psi, 0.1, 0.4))
    some = max(empty, *(ramp(size, 0.0, low) for size, low, _ in sizes))
    told = max(signs.told.get("data_quality", 0.0), signs.told.get("values", 0.0) * some)
    return max(seen, _CONFIRMED * told)


def _harm(signs: Signs) -> float:
    told = _CONFIRMED * _told_of_loss(signs)
    if signs.loss_z is None:
        return max(told, 0.2, _worse(signs.estimated_z or 0.0, signs.estimated_change))
    worse = _worse(signs.loss_z, signs.loss_change)
    return max(told * ramp(signs.loss_change, -0.05, 0.02), worse, _borne_out(signs), ramp(signs.quality_drop, 0.0, 0.02))


def _borne_out(signs: Signs) -> float:
    """How probable it is that the loss rose as the scores let expect, and not that it stayed, given the first labels.

    Bayes' rule with two normal likelihoods. Few labels are beyond chance in neither, but mostly nearer to the one.
    """
    expected = min(_worse(signs.estimated_z or 0.0, signs.estimated_change), _MOST_EXPECTED)
    if not signs.loss_z or expected <= 0:
        return 0.0
    error = signs.loss_change / signs.loss_z
    favour = signs.estimated_change * (2 * signs.loss_change - signs.estimated_change) / (2 * error**2)
    odds = expected / (1 - expected) * math.exp(min(max(favour, -_MOST_FAVOUR), _MOST_FAVOUR))
    return odds / (1 + odds)


def _told_of_loss(signs: Signs) -> float:
    return max(signs.told.get(kind, 0.0) for kind in ("loss_drift", "performance", "performance_estimate"))


def _worse(beyond: float, change: float) -> float:
    """A tiny change can be beyond chance on many rows; it does no harm that anybody would pay for."""
    return ramp(beyond, 1.0, 4.0) * ramp(change, 0.0, 0.05)


def _served_wrong(signs: Signs) -> float:
    return max(ramp(signs.mismatch, 0.0, 0.05), _CONFIRMED * signs.told.get("serving", 0.0))


def _trouble(signs: Signs) -> float:
    return max(
        ramp(signs.delay_ratio, 2.0, 5.0),
        ramp(signs.corrected, 0.05, 0.3),
        0.8 if signs.one_class else 0.0,
        0.7 if signs.labels_missing else 0.0,
        _CONFIRMED * signs.told.get("labels", 0.0),
        _CONFIRMED * (1 - ramp(signs.psi, 0.1, 0.4)) * _only_labels_moved(signs),
    )


def _swapped(signs: Signs) -> float:
    """Both must hold: it began too soon after our own deployment to be chance, and the loss rose there and then."""
    soon = 1 - ramp(signs.swap_chance, 0.05, 0.2)
    return soon * _worse(signs.swap_loss_z, signs.swap_loss_change) if signs.swap_loss_z is not None else 0.0


def _only_labels_moved(signs: Signs) -> float:
    """A new rule looks like this, and so do wrong labels: who can't tell them apart had better not learn from them."""
    return signs.told.get("label_drift", 0.0) * (1 - max(signs.told.get(kind, 0.0) for kind in _OF_INPUTS))
