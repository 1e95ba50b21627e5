"""What was said and done, against the scenario file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

NOTHING = "nothing"
"""Stands in the confusion matrix for: there was nothing to find, or nothing was said."""

PASSIVE = frozenset({"no_action", "wait_for_labels"})
"""Actions that change nothing, so that they are never too many."""


class Diagnosed(NamedTuple):
    """One run: the causes that count as right, and those that were said, the main one first.

    No accepted cause means that nothing happened. `needs_all`: two things happened at once and both must be named.
    """

    scenario: str
    accepted: tuple[str, ...]
    said: tuple[str, ...]
    needs_all: bool = False

    @property
    def is_right(self) -> bool:
        """Whether the main cause is accepted, or all of them were said, or nothing was said about nothing.

        Further causes don't make a wrong main one right, and may stand beside a right one.
        """
        if not self.accepted:
            return not self.said
        if self.needs_all:
            return set(self.accepted) <= set(self.said)
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

    A run is one count in the row of the cause that was said if it is accepted, else of the first accepted one. Where all are
    needed, each accepted cause is a count: in its own column if it was said, else in that of the first cause said that isn't
    accepted.
    """
    cells = Counter(cell for run in runs for cell in _cells(run))
    names = tuple(sorted({name for cell in cells for name in cell}))
    return Confusion(names, tuple(tuple(cells[true, said] for said in names) for true in names))


def right_rows(runs: Sequence[Diagnosed]) -> float:
    """Return how many scenarios were diagnosed rightly, each as the share of its runs: seeds and variants (C11a, C11b) alike."""
    by_row: dict[str, list[bool]] = {}
    for run in runs:
        by_row.setdefault(run.scenario.rstrip("abcdefghijklmnopqrstuvwxyz"), []).append(run.is_right)
    return sum(sum(rights) / len(rights) for rights in by_row.values())


def acted(taken: Sequence[str], accepted: Collection[str], forbidden: Collection[str]) -> Acted:
    """Judge the actions that were carried out, repetitions included.

    Where no action is accepted, it is right to do nothing but `PASSIVE` ones.
    """
    right = any(action in accepted for action in taken) if accepted else all(action in PASSIVE for action in taken)
    return Acted(right, sum(action in forbidden for action in taken))


def _cells(run: Diagnosed) -> list[tuple[str, str]]:
    if not run.needs_all:
        said = run.said[0] if run.said else NOTHING
        return [(said if said in run.accepted else (run.accepted or (NOTHING,))[0], said)]
    instead = next((cause for cause in run.said if cause not in run.accepted), NOTHING)
    return [(cause, cause if cause in run.said else instead) for cause in run.accepted]
