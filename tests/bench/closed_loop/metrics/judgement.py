"""What was said and done, against the scenario file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

NOTHING = "nothing"
"""Stands in the confusion matrix for: there was nothing to find, or nothing was said."""

_VARIANT = re.compile(r"(?<=\d)([a-z]|_\w+)$")

PASSIVE = frozenset({"no_action", "wait_for_labels"})
"""Actions that change nothing, so that they are never too many."""


class Diagnosed(NamedTuple):
    """One run: the causes that count as right, and those that were said, the main one first.

    No accepted cause means that nothing happened. `second` are the causes that count as right for a second thing that happened
    at once: then one of each must be named.
    """

    scenario: str
    accepted: tuple[str, ...]
    said: tuple[str, ...]
    second: tuple[str, ...] = ()

    @property
    def is_right(self) -> bool:
        """Whether the main cause is accepted, or one of each of two was said, or nothing was said about nothing.

        Further causes don't make a wrong main one right, and may stand beside a right one.
        """
        if not self.accepted:
            return not self.said
        if self.second:
            return all(not set(self.said).isdisjoint(one) for one in (self.accepted, self.second))
        return bool(self.said) and self.said[0] in self.accepted


class Confusion(NamedTuple):
    """`counts[i][j]`: how often cause `names[i]` was true and `names[j]` was said."""

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class Acted(NamedTuple):
    """`right`: an accepted action was taken; `forbidden`: how many forbidden ones, each counts minus one in `score`."""

    right: bool
    forbidden: int

    @property
    def score(self) -> int:
        """One for a right action, less the forbidden ones."""
        return int(self.right) - self.forbidden


def diagnosis_confusion(runs: Iterable[Diagnosed]) -> Confusion:
    """Count what was true against what was said; names are sorted, `NOTHING` among them where it is needed.

    A run is one count in the row of the cause that was said if it is accepted, else of the first accepted one. Where two things
    happened at once, each is a count: in the row and column of its first accepted cause that was said, else in the row of its
    first accepted cause and the column of the first cause said that is accepted for neither.
    """
    cells = Counter(cell for run in runs for cell in _cells(run))
    names = tuple(sorted({name for cell in cells for name in cell}))
    return Confusion(names, tuple(tuple(cells[true, said] for said in names) for true in names))


def right_rows(runs: Iterable[tuple[str, bool]]) -> float:
    """Return how many scenarios were diagnosed rightly, each as the share of its runs: seeds and variants alike.

    `runs` are a scenario's id and whether it was diagnosed rightly. C11a and C11b are one scenario, and so are C2_sine and
    C2_stagger.
    """
    by_row: dict[str, list[bool]] = {}
    for scenario, is_right in runs:
        by_row.setdefault(_VARIANT.sub("", scenario), []).append(is_right)
    return sum(sum(rights) / len(rights) for rights in by_row.values())


def acted(taken: Sequence[str], accepted: Collection[str], forbidden: Collection[str]) -> Acted:
    """Judge the actions that were carried out, repetitions included.

    Where no action is accepted, it is right to do nothing but `PASSIVE` ones.
    """
    right = any(action in accepted for action in taken) if accepted else all(action in PASSIVE for action in taken)
    return Acted(right, sum(action in forbidden for action in taken))


def _cells(run: Diagnosed) -> list[tuple[str, str]]:
    if not run.second:
        said = run.said[0] if run.said else NOTHING
        return [(said if said in run.accepted else (run.accepted or (NOTHING,))[0], said)]
    instead = next((cause for cause in run.said if cause not in (*run.accepted, *run.second)), NOTHING)
    named = [next((cause for cause in run.said if cause in right), None) for right in (run.accepted, run.second)]
    return [
        (right[0], instead) if said is None else (said, said)
        for right, said in zip((run.accepted, run.second), named, strict=True)
    ]
