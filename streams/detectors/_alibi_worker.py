"""The process that holds alibi-detect: tables in on standard input, p-values out on standard output, a JSON line each.

It is a process of its own because the import takes 9 s and 260 MB. It ends when its standard input does, so it outlives
nobody. `python -m streams.detectors._alibi_worker`
"""

from __future__ import annotations

import os
import sys
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt


class Question(msgspec.Struct, kw_only=True):
    """Columns to test; category columns are tables of counts [2, cells], number columns two samples."""

    numbers: list[tuple[list[float], list[float]]]
    categories: list[list[list[int]]]


class Answer(msgspec.Struct, kw_only=True):
    """(p-value, statistic) per column, in the question's order."""

    numbers: list[tuple[float, float]]
    categories: list[tuple[float, float]]


def answer(question: Question) -> Answer:
    """Test every column by itself: `TabularDrift` on numbers is Kolmogorov-Smirnov, on categories chi-square."""
    return Answer(
        numbers=[_ks(np.asarray(before, np.float64), np.asarray(after, np.float64)) for before, after in question.numbers],
        categories=[_chisquare(np.asarray(table, np.int64)) for table in question.categories],
    )


def _ks(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> tuple[float, float]:
    from alibi_detect.cd import KSDrift  # noqa: PLC0415 - only this process pays for it

    return _predicted(KSDrift(before.reshape(-1, 1)), after)


def _chisquare(table: npt.NDArray[Any]) -> tuple[float, float]:
    from alibi_detect.cd import TabularDrift  # noqa: PLC0415

    cells = np.arange(table.shape[1])
    before = np.repeat(cells, table[0]).reshape(-1, 1)
    return _predicted(TabularDrift(before, categories_per_feature={0: cells.tolist()}), np.repeat(cells, table[1]))


def _predicted(detector: object, after: npt.NDArray[Any]) -> tuple[float, float]:
    data = detector.predict(after.reshape(-1, 1))["data"]  # type: ignore[attr-defined]
    return float(data["p_val"][0]), float(data["distance"][0])


def main() -> None:
    """Answer until standard input ends."""
    # Whatever a library prints must not get between the answers.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    decoder = msgspec.json.Decoder(Question)
    for line in sys.stdin.buffer:
        out.write(msgspec.json.encode(answer(decoder.decode(line))) + b"\n")
        out.flush()


if __name__ == "__main__":
    main()
