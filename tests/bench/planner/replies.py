"""Who plays Claude: a server's answers with plans that a seeded fuzzer draws, most of them ruined. Nothing of it is clever.

Which plan comes doesn't depend on what was asked, so all sound plans are as likely, the harmful ones among them.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from tests.kit.claude import submitted
from tests.kit.messages_server import Raw, Says, Status, Step, call, text
from tests.kit.plan_fuzzer import PlanFuzzer

SOUND: Final = 0.4
"""Share of the plans that are well formed, whatever they would do."""

BROKEN: Final = 0.1
"""Share of the answers in which there is no plan at all."""

LOOKS_UP: Final = 0.3
"""How often something is looked up first, where that is allowed."""


class Replies:
    """Answers requests for a plan, always the same after the same `draw`."""

    def __init__(self) -> None:
        self.draw(0)

    def draw(self, *seed: int) -> None:
        """Begin anew, with another conversation."""
        self._rng = np.random.default_rng(seed)
        self._fuzzer = PlanFuzzer(self._rng)

    def __call__(self, body: dict[str, Any]) -> Step:
        """Answer a request."""
        if self._rng.random() < BROKEN:
            return self._broken()
        if body["tool_choice"]["type"] == "auto" and self._rng.random() < LOOKS_UP:
            return Says([call("drift_ranking", top=5), call("limits")])
        plan = self._fuzzer.plan()
        return Says([submitted(plan if self._rng.random() < SOUND else self._fuzzer.mutated(plan))])

    def _broken(self) -> Step:
        plan = [submitted(self._fuzzer.plan())]
        ways: tuple[Step, ...] = (
            Status(529, "overloaded_error"), Status(401, "authentication_error"), Raw(b"event: nothing\n\n"),
            Says([text("I can't help with that")], "refusal"), Says(plan, "max_tokens"), Says(plan, events=4),
            Says([call("delete_lake", now=True)]), Says([text("retrain!")], "end_turn"), Says([*plan, *plan]),
        )  # fmt: skip
        return ways[int(self._rng.integers(len(ways)))]
