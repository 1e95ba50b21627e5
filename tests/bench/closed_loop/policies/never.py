"""The champion, left alone."""

from __future__ import annotations

from tests.bench.closed_loop.policies.base import Moment, Retrain


class Never:
    """Asks for nothing."""

    name = "never"
    who = "the first champion, left alone"

    def decide(self, moment: Moment) -> Retrain | None:
        """Return None."""
        return None
