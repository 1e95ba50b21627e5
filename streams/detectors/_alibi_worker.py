"""The process that holds alibi-detect: samples and counts in by standard input, p-values out, a JSON line each.

It is a process of its own because the import takes 9 s and 260 MB. It ends when its standard input does, so it outlives
nobody. `python -m streams.detectors._alibi_worker`
"""

from __future__ import annotations

import os
import sys
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

Test = Literal["kolmogorov_smirnov", "cramer_von_mises", "chisquare", "fisher"]


class Question(msgspec.Struct, kw_only=True):
    """What to compare: two samples, or for `chisquare` and `fisher` how often each cell was counted.

    Fisher's cells are hits and misses.
    """

    test: Test
    before: list[float]
    after: list[float]


class Answer(msgspec.Struct, kw_only=True):
    """What the library says: the p-value, and the statistic that it calls the distance."""

    p_value: float
    statistic: float


def answer(question: Question) -> Answer:
    """Run one test on one column."""
    # Whoever asks imports this module for `Question`, and must pay neither 9 s nor need the extra; and what the import prints may
    # not get between the answers, so that standard output is turned away first.
    from alibi_detect.cd import CVMDrift, FETDrift, KSDrift, TabularDrift  # noqa: PLC0415 - see above

    before, after = np.asarray(question.before, np.float64), np.asarray(question.after, np.float64)
    match question.test:
        case "kolmogorov_smirnov":
            return _predicted(KSDrift(before.reshape(-1, 1)), after)
        case "cramer_von_mises":
            return _predicted(CVMDrift(before.reshape(-1, 1)), after)
        case "chisquare":
            cells = {0: list(range(len(before)))}
            return _predicted(TabularDrift(_rows(before).reshape(-1, 1), categories_per_feature=cells), _rows(after))
        case "fisher":
            # Hits are its first cell, and the library's 1.
            return _predicted(FETDrift(1 - _rows(before).reshape(-1, 1), alternative="two-sided"), 1 - _rows(after))


def _rows(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the cell of each row, given how many each has."""
    return np.repeat(np.arange(len(counts)), counts.astype(np.int64))


def _predicted(detector: object, after: npt.NDArray[Any]) -> Answer:
    data = detector.predict(after.reshape(-1, 1))["data"]  # type: ignore[attr-defined]
    return Answer(p_value=float(data["p_val"][0]), statistic=float(data["distance"][0]))


def main() -> None:
    """Answer until standard input ends."""
    # Whatever a library prints must not get between the answers.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    decoder = msgspec.json.Decoder(list[Question])
    for line in sys.stdin.buffer:
        out.write(msgspec.json.encode([answer(question) for question in decoder.decode(line)]) + b"\n")
        out.flush()


if __name__ == "__main__":
    main()
