"""Numbers and categories by alibi-detect: the tests of `feature_ks` and `feature_chisquare`, for those who want that library.

Not on by default: alibi-detect is under the Business Source License 1.1, whose grant for production use is narrow.
"""

from __future__ import annotations

import importlib.util
import math
import select
import subprocess
import sys
from collections.abc import Sequence

import msgspec
import numpy as np
import structlog

from streams.contracts.bundle import Profile
from streams.contracts.errors import PluginError, StreamsError
from streams.detectors._alibi_worker import Answer, Question
from streams.detectors._bins import sketch_numbers
from streams.detectors._tables import Counts, sketch_shares, two_samples
from streams.detectors._tested import FEWEST, Tested, readings, sampled
from streams.detectors.base import BucketView, Floats, Readings, Setup, Signal, Sketch, nothing

# The first answer waits for an import of 9 s on a quiet machine.
ANSWER_SECONDS = 120.0
# The library takes rows, not counts; more of them than this would only cost time. Both rows of a table shrink alike.
MOST_ROWS = 200_000

log = structlog.get_logger(__name__)


class AlibiTabular:
    """Keeps a worker process with alibi-detect and asks it about each bucket. Its p-values are float32, that library's choice."""

    reads_sample = True

    def __init__(self, setup: Setup) -> None:
        self._profile, floors = setup.profile, setup.floors
        self._worker: subprocess.Popen[bytes] | None = None
        self.signals: Sequence[Signal] = [
            *(_signal(name, "alibi-detect KSDrift", "KS distance", floors.ks_distance) for name in self._profile.numbers),
            *(_signal(name, "alibi-detect TabularDrift", "Cramér's V", floors.cramers_v) for name in self._profile.categories),
        ]

    def read(self, view: BucketView) -> Readings:
        """Test every number and category of the reference.

        Raises:
            StreamsError: the worker process died or doesn't answer.
        """
        numbers, categories = _numbers(self._profile, view), _categories(self._profile, view)
        if not numbers and not categories:
            return nothing(len(self.signals))
        question = Question(
            numbers=[(before.tolist(), after.tolist()) for before, after in numbers.values()],
            categories=[table.tolist() for table in categories.values()],
        )
        answer = self._ask(question)
        found = {name: Tested(*given) for name, given in zip(numbers, answer.numbers, strict=True)}
        for (name, table), (p_value, statistic) in zip(categories.items(), answer.categories, strict=True):
            found[name] = Tested(p_value, math.sqrt(statistic / float(table.sum())))
        return readings([found.get(signal.watched) for signal in self.signals])

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show quantiles, or the shares that moved most."""
        name = self.signals[index].watched
        inputs = [view.inputs for view in views if view.inputs is not None]
        if name in self._profile.numbers:
            return sketch_numbers(self._profile.numbers[name], [one.numbers[name] for one in inputs if name in one.numbers])
        return sketch_shares(self._profile.categories[name], [one.categories[name] for one in inputs if name in one.categories])

    def close(self) -> None:
        """End the worker process."""
        if self._worker is not None:
            self._worker.kill()
            self._worker.communicate()
            self._worker = None

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


def _signal(name: str, aspect: str, unit: str, floor: float) -> Signal:
    return Signal("feature_drift", name, aspect, unit, floor, 1.0, scale=0.0, rises_only=True)


def _numbers(profile: Profile, view: BucketView) -> dict[str, tuple[Floats, Floats]]:
    found = {}
    for name, number in profile.numbers.items():
        after = sampled(view.inputs, name) if view.inputs is not None else np.empty(0)
        if min(len(number.sample), len(after)) >= FEWEST:
            found[name] = (np.asarray(number.sample, np.float64), after)
    return found


def _categories(profile: Profile, view: BucketView) -> dict[str, Counts]:
    found = {}
    for name, category in profile.categories.items():
        now = view.inputs.categories.get(name) if view.inputs is not None else None
        table = two_samples(category, profile.rows, now) if now is not None else None
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
    return AlibiTabular(setup)
