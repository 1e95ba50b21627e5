"""Showing things in the terminal, or as JSON for other programs. No markup in any value is ever obeyed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.runtime.clock import text_of
from streams.runtime.text import cleaned

_WIDE = 200


class Screen:
    """Where a command's answer goes.

    Args:
        output: where text and JSON go; None stands for standard output.
    """

    def __init__(self, output: TextIO | None = None) -> None:
        self._output = output or sys.stdout
        # A pipe has no width; tables cut to 80 columns there would lose what somebody greps for.
        width = None if self._output.isatty() else _WIDE
        self._console = Console(file=self._output, markup=False, highlight=False, emoji=False, width=width)

    def title(self, text: str) -> None:
        """Show a heading."""
        self._console.print()
        self._console.print(Text(cleaned(text), style="bold"))

    def line(self, text: str, style: str = "") -> None:
        """Show one line."""
        self._console.print(Text(cleaned(text), style=style))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Show rows under columns. A column whose name ends in `#` holds numbers."""
        table = Table(box=None, pad_edge=False, header_style="dim")
        for column in columns:
            table.add_column(column.removesuffix("#"), justify="right" if column.endswith("#") else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(cleaned(shown(value))) for value in row))
        self._console.print(table)

    def data(self, value: Any) -> None:
        """Write a value as JSON, for programs."""
        plain = msgspec.to_builtins(value, enc_hook=str)
        self._output.write(json.dumps(plain, indent=2, ensure_ascii=True, allow_nan=False, default=str) + "\n")


def shown(value: object) -> str:
    """Write a value the way a person reads it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def when(time_ms: int | None) -> str:
    """Write an event time, `-` when there is none."""
    return text_of(time_ms) if time_ms is not None and time_ms >= 0 else "-"


def short(digest: str) -> str:
    """Write the beginning of a digest, which is enough for people."""
    return digest[:12] or "-"
