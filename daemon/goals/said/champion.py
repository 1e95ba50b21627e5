"""How people speak of where a metric stands: the champion's value when the goal is approved."""

from __future__ import annotations

from typing import Final

from daemon.goals.reading import listed

_MODEL: Final = (
    "[the|our] (champion|current champion|current model|incumbent|production model|model in production|deployed model|live model)"
)
STANDS: Final = listed(
    "today 's [value|level|result|score|figure|champion|model]", "(today|now)", "[the|its] current [value|level|score|figure]",
    "the present (value|level)", f"{_MODEL} ['s] [value|level|score|result]",
    "where (it|the champion|the metric) (is|stands) [now|today|at present|currently]",
    "the current (champion|model|incumbent)", "where we (are|stand) [now|today]",
    "[what] (it is|we have|they are) (now|today|currently|at present|right now)",
    "[what] the champion (has|achieves|reaches|scores)",
)  # fmt: skip
