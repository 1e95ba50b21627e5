"""The menu of changes that are put into a model's real buckets, to see how soon each would be found.

Only what is said to change does: season and hour of the bucket, and all other columns, stay as they were. What a change of a
feature does to the model's scores and losses isn't among it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import msgspec
import numpy as np

from streams.calibration import moving
from streams.contracts.bundle import CategoryProfile, Profile
from streams.contracts.summaries import FIXED
from streams.detectors.base import BucketView, Floats

SHIFTS = (0.25, 0.5, 1.0)
MISSING = (0.05, 0.2)
UNIT = 100.0
LOSSES = (0.1, 0.25)
FALLS = (0.02, 0.05)

# The category that is doubled is the one whose share is nearest to this; half at most, and none that is too rare to be followed.
_DOUBLED, _MOST_DOUBLED, _LEAST_DOUBLED = 0.1, 0.5, 0.005

Alter = Callable[[BucketView, np.random.Generator], BucketView]


class Change(NamedTuple):
    """A change: its name, the kinds of events that may tell of it, the columns or measures that change, and how.

    All of `watched` change at once: signals are followed one by one, so each is judged as if it had changed alone.
    """

    name: str
    kinds: frozenset[str]
    watched: frozenset[str]
    alter: Alter


def menu(profile: Profile, declared: frozenset[str]) -> list[Change]:
    """Return what can be tried with a reference.

    Args:
        profile: the reference.
        declared: the columns of a request; windows come in no other unit.
    """
    changes = [
        *(_shift(profile, by) for by in SHIFTS),
        *(_score_shift(profile, by) for by in SHIFTS),
        *(_missing(profile, by) for by in MISSING),
        _doubled(profile.categories),
        _unit(profile, declared),
        *(_loss(profile, by) for by in LOSSES),
        *(_fall(profile, by) for by in FALLS),
    ]
    return [change for change in changes if change.watched]


def area(positives: Floats, negatives: Floats) -> float:
    """Return the area under the ROC curve of two histograms of scores, ties counted half."""
    below = np.cumsum(negatives) - negatives / 2
    return float((positives * below).sum() / (positives.sum() * negatives.sum()))


def _shift(profile: Profile, by: float) -> Change:
    chances = {name: moving.shifted(one.shares, by) for name, one in profile.numbers.items()}
    alter = partial(_alter_numbers, moving.move, chances)
    return Change(f"a feature shifts by {by:g} sd", frozenset({"feature_drift"}), frozenset(chances), alter)


def _unit(profile: Profile, declared: frozenset[str]) -> Change:
    told = {name: one for name, one in profile.numbers.items() if name in declared and any(one.sample)}
    chances = {name: moving.rescaled(one, UNIT) for name, one in told.items()}
    alter = partial(_alter_numbers, moving.rescale, chances)
    return Change(f"a unit changes, x{UNIT:g}", frozenset({"data_quality", "feature_drift"}), frozenset(chances), alter)


def _alter_numbers(
    how: Callable[..., object], chances: Mapping[str, Floats], view: BucketView, generator: np.random.Generator
) -> BucketView:
    if view.inputs is None:
        return view
    found = {name: how(counts, chances[name], generator) for name, counts in view.inputs.numbers.items() if name in chances}
    return view._replace(inputs=msgspec.structs.replace(view.inputs, numbers={**view.inputs.numbers, **found}))


def _score_shift(profile: Profile, by: float) -> Change:
    alter = partial(_alter_score, moving.shifted(profile.score.shares, by))
    return Change(f"the score shifts by {by:g} sd", frozenset({"score_drift"}), frozenset({"score"}), alter)


def _alter_score(chances: Floats, view: BucketView, generator: np.random.Generator) -> BucketView:
    if view.inputs is None:
        return view
    return view._replace(inputs=msgspec.structs.replace(view.inputs, score=moving.move(view.inputs.score, chances, generator)))


def _missing(profile: Profile, by: float) -> Change:
    absent = {name: one.missing for name, one in profile.numbers.items()}
    absent |= {name: one.missing for name, one in profile.categories.items()}
    of_known = {name: by / (1 - missing) for name, missing in absent.items() if by <= 1 - missing}
    alter = partial(_alter_missing, of_known)
    return Change(f"{by:.0%} of the rows lose a value", frozenset({"data_quality"}), frozenset(of_known), alter)


def _alter_missing(of_known: Mapping[str, float], view: BucketView, generator: np.random.Generator) -> BucketView:
    if view.inputs is None:
        return view
    numbers, categories = view.inputs.numbers, view.inputs.categories
    numbers = {name: moving.lose_numbers(one, of_known.get(name, 0.0), generator) for name, one in numbers.items()}
    categories = {name: moving.lose_categories(one, of_known.get(name, 0.0), generator) for name, one in categories.items()}
    return view._replace(inputs=msgspec.structs.replace(view.inputs, numbers=numbers, categories=categories))


def _doubled(profiles: Mapping[str, CategoryProfile]) -> Change:
    chosen: dict[str, tuple[str, float]] = {}
    for name, one in profiles.items():
        shares = {category: share for category, share in one.shares.items() if _LEAST_DOUBLED <= share <= _MOST_DOUBLED}
        if shares:
            category = min(shares, key=lambda each: (abs(np.log(shares[each] / _DOUBLED)), each))
            # So many of the others make it twice as frequent.
            chosen[name] = category, shares[category] / (1 - shares[category])
    alter = partial(_alter_categories, chosen)
    return Change("a category's share doubles", frozenset({"feature_drift"}), frozenset(chosen), alter)


def _alter_categories(chosen: Mapping[str, tuple[str, float]], view: BucketView, generator: np.random.Generator) -> BucketView:
    if view.inputs is None:
        return view
    counts = view.inputs.categories
    found = {name: moving.gather(one, *chosen[name], generator) for name, one in counts.items() if name in chosen}
    return view._replace(inputs=msgspec.structs.replace(view.inputs, categories={**counts, **found}))


def _loss(profile: Profile, by: float) -> Change:
    watched = frozenset({"loss"} if profile.loss_std > 0 else ())
    return Change(f"the loss rises by {by:g} sd", frozenset({"loss_drift"}), watched, partial(_alter_loss, by * profile.loss_std))


def _alter_loss(by: float, view: BucketView, generator: np.random.Generator) -> BucketView:
    del generator  # each row's loss rises alike
    if view.losses is None:
        return view
    loss = view.losses.loss + round(by * view.losses.rows * FIXED)
    return view._replace(losses=msgspec.structs.replace(view.losses, loss=loss))


def _fall(profile: Profile, by: float) -> Change:
    positives, negatives = (np.asarray(counts, np.float64) for counts in (profile.positives, profile.negatives))
    is_known = positives.sum() > 0 and negatives.sum() > 0
    above = area(positives, negatives) - 0.5 if is_known else 0.0
    watched = frozenset({"auc"} if above >= by else ())
    # A positive that is scored like a negative lies above half of them.
    alter = partial(_alter_ranking, by / above if watched else 0.0, negatives)
    return Change(f"the AUC falls by {by:g}", frozenset({"performance"}), watched, alter)


def _alter_ranking(share: float, negatives: Floats, view: BucketView, generator: np.random.Generator) -> BucketView:
    if view.losses is None or not view.losses.positives:
        return view
    found = moving.redraw(view.losses.positives, share, negatives, generator)
    return view._replace(losses=msgspec.structs.replace(view.losses, positives=found))
