"""What a bench measured, beside the bar that it has to reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console


class Bar(NamedTuple):
    """What was measured and what it should be: rates (units that end with `/s`) at least, everything else at most."""

    name: str
    measured: float
    bar: float
    unit: str
    note: str = ""

    @property
    def is_rate(self) -> bool:
        """Whether more is better."""
        return self.unit.endswith("/s")

    @property
    def is_held(self) -> bool:
        """Whether the bar is reached."""
        return self.measured >= self.bar if self.is_rate else self.measured <= self.bar


def show(bars: Sequence[Bar], screen: Console) -> int:
    """Print a line for each bar; return 1 while one is missed."""
    for one in bars:
        told = f"{one.measured:,.0f}" if one.measured >= 100 else f"{one.measured:.1f}"
        verdict = "held" if one.is_held else "MISSED"
        side = "at least" if one.is_rate else "at most"
        screen.print(f"{one.name}: {told} {one.unit} ({side} {one.bar:,.0f}: {verdict}) {one.note}".rstrip())
    return int(not all(one.is_held for one in bars))
