"""Which rows a plan is about that is made after a change: those since it, the newest of them kept back for the judge. Pure.

The daemon plans by it, and the diagnosis counts by it what a training would be given.
"""

from __future__ import annotations

from typing import Final, NamedTuple

FRESH_SEALED: Final = 0.4
"""Of the rows since a change so many are kept for the judge; the others are learnt from."""


class Lengths(NamedTuple):
    """How far back a training looks at most, and how much of the newest data the judge has at most."""

    train_ms: int
    sealed_ms: int


class Ranges(NamedTuple):
    """Event times of a plan's rows, as lengths: all of them end `delay_ms` before `until_ms`, the last `sealed_ms` are sealed."""

    until_ms: int
    train_ms: int
    sealed_ms: int
    delay_ms: int

    @property
    def sealed(self) -> tuple[int, int]:
        """The sealed window [since, until)."""
        end_ms = self.until_ms - self.delay_ms
        return end_ms - self.sealed_ms, end_ms

    @property
    def train(self) -> tuple[int, int]:
        """The range [since, until) that is learnt from, with the labels known `sealed_ms` before `until_ms`."""
        return self.until_ms - self.train_ms, self.sealed[0]


def since_change(
    since_ms: int,
    until_ms: int,
    delay_ms: int,
    lengths: Lengths,
    share: float = FRESH_SEALED,
    *,
    begins_ms: int | None = None,
) -> Ranges | None:
    """Return the ranges of a plan that is judged on rows since a change, None while there is no time since it for that.

    Args:
        since_ms: when the change began.
        until_ms: up to when labels are known.
        delay_ms: how long most labels take; newer rows have none yet.
        lengths: what the config says of plans.
        share: of the time since the change that is kept for the judge.
        begins_ms: before which nothing is learnt from; None: the change.
    """
    sealed_ms = min(lengths.sealed_ms, int((until_ms - delay_ms - since_ms) * share))
    if sealed_ms <= 0:
        return None
    train_ms = min(max(lengths.train_ms, sealed_ms + 1) + delay_ms, until_ms - (since_ms if begins_ms is None else begins_ms))
    return Ranges(until_ms, train_ms, sealed_ms, delay_ms)
