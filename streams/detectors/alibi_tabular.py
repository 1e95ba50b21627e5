"""Numbers and categories by alibi-detect: the tests of `feature_ks` and `feature_chisquare`, for those who want that library.

Not on by default: alibi-detect is under the Business Source License 1.1, whose grant for production use is narrow.
"""

from __future__ import annotations

import importlib.util
import math
import select
import subprocess
import sys

import msgspec
import numpy as np
import structlog

from streams.contracts.errors import PluginError, StreamsError
from streams.detectors._alibi_worker import Answer, Question
from streams.detectors._samples import Floats, is_testable, sampled, sketch
from streams.detectors._tables import Counts, two_samples
from streams.detectors.base import BucketView, Finding, Floors, Setup

KINDS = ("feature_drift",)
LEVELLED = False

# The first answer waits for an import of 9 s on a quiet machine.
ANSWER_SECONDS = 120.0
# The library takes rows, not counts; more of them than this would only cost time. Both rows of a table shrink alike.
MOST_ROWS = 200_000

log = structlog.get_logger(__name__)


class AlibiTabular:
    """Keeps a worker process with alibi-detect and asks it about each bucket. Its p-values are float32, that library's choice."""

    def __init__(self, floors: Floors) -> None:
        self._floors = floors
        self._worker: subprocess.Popen[bytes] | None = None

    def look(self, view: BucketView) -> list[Finding]:
        """Test every number and category of the reference.

        Raises:
            StreamsError: the worker process died or doesn't answer.
        """
        if view.inputs is None:
            return []
        numbers = _numbers(view)
        categories = _categories(view)
        if not numbers and not categories:
            return []
        question = Question(
            numbers=[(before.tolist(), after.tolist()) for before, after in numbers.values()],
            categories=[table.tolist() for table in categories.values()],
        )
        answer = self._ask(question)
        found = [self._number(name, *pair, *given) for (name, pair), given in zip(numbers.items(), answer.numbers, strict=True)]
        return found + [
            self._category(name, table, *given)
            for (name, table), given in zip(categories.items(), answer.categories, strict=True)
        ]

    def close(self) -> None:
        """End the worker process."""
        if self._worker is not None:
            self._worker.kill()
            self._worker.communicate()
            self._worker = None

    def _number(self, name: str, before: Floats, after: Floats, p_value: float, distance: float) -> Finding:
        return Finding(
            kind=KINDS[0],
            watched=name,
            method="alibi-detect KSDrift",
            p_value=p_value,
            effect=distance,
            floor=self._floors.ks_distance,
            effect_unit="KS distance",
            before=sketch(before),
            after=sketch(after),
        )

    def _category(self, name: str, table: Counts, p_value: float, statistic: float) -> Finding:
        return Finding(
            kind=KINDS[0],
            watched=name,
            method="alibi-detect TabularDrift",
            p_value=p_value,
            effect=math.sqrt(statistic / float(table.sum())),
            floor=self._floors.cramers_v,
            effect_unit="Cramér's V",
            before={"rows": float(table[0].sum()), "cells": float(table.shape[1])},
            after={"rows": float(table[1].sum()), "cells": float(table.shape[1])},
        )

    def _ask(self, question: Question) -> Answer:
        worker = self._worker = self._worker or _start()
        if worker.stdin is None or worker.stdout is None:
            raise StreamsError("alibi-detect's process has no pipes")
        try:
            worker.stdin.write(msgspec.json.encode(question) + b"\n")
            worker.stdin.flush()
            ready, _, _ = select.select([worker.stdout], [], [], ANSWER_SECONDS)
            line = worker.stdout.readline() if ready else b""
        except OSError as error:
            self.close()
            raise StreamsError(f"alibi-detect's process died: {error}") from error
        if not line:
            self.close()
            raise StreamsError(f"alibi-detect's process gave no answer in {ANSWER_SECONDS:.0f} s; what it said stands above")
        return msgspec.json.decode(line, type=Answer)


def _start() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "streams.detectors._alibi_worker"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=-1)  # noqa: S603 - our own module


def _numbers(view: BucketView) -> dict[str, tuple[Floats, Floats]]:
    found = {}
    for name, profile in view.profile.numbers.items():
        after = sampled(view.inputs, name) if view.inputs is not None else np.empty(0)
        if is_testable(profile.sample, after):
            found[name] = (np.asarray(profile.sample, np.float64), after)
    return found


def _categories(view: BucketView) -> dict[str, Counts]:
    found = {}
    for name, profile in view.profile.categories.items():
        now = view.inputs.categories.get(name) if view.inputs is not None else None
        table = two_samples(profile, view.profile.rows, now) if now is not None else None
        if table is not None:
            found[name] = _bounded(table)
    return found


def _bounded(table: Counts) -> Counts:
    largest = int(table.sum(axis=1).max())
    return table if largest <= MOST_ROWS else np.maximum(table * MOST_ROWS // largest, 1)


def open_detector(setup: Setup) -> AlibiTabular:
    """Open it.

    Raises:
        PluginError: alibi-detect isn't installed.
    """
    if importlib.util.find_spec("alibi_detect") is None:
        raise PluginError(
            "streams.detectors: alibi_tabular needs alibi-detect; install driftwake[alibi], or take it off the list"
        )
    log.warning(
        "LicenceNoted",
        library="alibi-detect",
        licence="Business Source License 1.1",
        advice="read its grant before production use; feature_ks and feature_chisquare make the same tests without it",
    )
    return AlibiTabular(setup.floors)
