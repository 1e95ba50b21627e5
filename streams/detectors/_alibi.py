"""alibi-detect at the other end of a pipe: its process is started with the first question, and ends with the last detector.

None of its kinds is on by default: alibi-detect is under the Business Source License 1.1, whose grant for production use is
narrow.
"""

from __future__ import annotations

import importlib.util
import select
import subprocess
import sys
import threading
from collections.abc import Sequence

import msgspec
import numpy as np
import structlog

from streams.contracts.errors import PluginError, StreamsError
from streams.detectors._alibi_worker import Answer, Question
from streams.detectors._tested import FEWEST, sampled
from streams.detectors.base import BucketView, Floats, Setup, Signal

# The first answer waits for an import of 9 s on a quiet machine.
ANSWER_SECONDS = 120.0

log = structlog.get_logger(__name__)


class Worker:
    """The process, one for all detectors that ask it, since each would import 260 MB for 9 s: it ends with the last of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._detectors = 0
        self._process: subprocess.Popen[bytes] | None = None

    def join(self) -> None:
        """Count a detector in."""
        with self._lock:
            self._detectors += 1

    def leave(self) -> None:
        """Count a detector out; the last one ends the process."""
        with self._lock:
            self._detectors -= 1
            if not self._detectors:
                self._end()

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Have tests made, in order. After an error the next question starts the process anew.

        Raises:
            StreamsError: the process died or doesn't answer.
        """
        with self._lock:
            process = self._process = self._process or _start()
            if process.stdin is None or process.stdout is None:
                raise StreamsError("alibi-detect's process has no pipes")
            try:
                process.stdin.write(msgspec.json.encode(questions) + b"\n")
                process.stdin.flush()
                ready, _, _ = select.select([process.stdout], [], [], ANSWER_SECONDS)
                line = process.stdout.readline() if ready else b""
            except OSError as error:
                self._end()
                raise StreamsError(f"alibi-detect's process died: {error}") from error
            if not line:
                self._end()
                raise StreamsError(f"alibi-detect's process gave no answer in {ANSWER_SECONDS:.0f} s; what it said stands above")
            return msgspec.json.decode(line, type=list[Answer])

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


WORKER = Worker()
"""This process's."""


class Alibi:
    """Base of kinds that ask a worker process with alibi-detect. Its p-values are float32, that library's choice.

    Args:
        kind: of the family, that asks.
        ours: the kinds that make the same tests without the library.

    Raises:
        PluginError: alibi-detect isn't installed.
    """

    def __init__(self, kind: str, ours: str) -> None:
        if importlib.util.find_spec("alibi_detect") is None:
            raise PluginError(
                f"streams.detectors: {kind} needs alibi-detect; install driftwake[alibi], or take it off the list: "
                f"{ours} needs nothing"
            )
        log.warning(
            "LicenceNoted",
            library="alibi-detect",
            licence="Business Source License 1.1",
            advice=f"read its grant before production use; {ours} does the same without it",
        )
        WORKER.join()
        self._is_open = True

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Have tests made, in order.

        Raises:
            StreamsError: the worker process died or doesn't answer.
        """
        return WORKER.ask(questions) if questions else []

    def close(self) -> None:
        """Have no more questions."""
        if self._is_open:
            self._is_open = False
            WORKER.leave()


def number_samples(setup: Setup, view: BucketView) -> dict[str, tuple[Floats, Floats]]:
    """Return the reference's and the bucket's known values of each number that has enough of both."""
    found = {}
    for name, number in setup.profile.numbers.items():
        after = sampled(view.inputs, name) if view.inputs is not None else np.empty(0)
        if min(len(number.sample), len(after)) >= FEWEST:
            found[name] = (np.asarray(number.sample, np.float64), after)
    return found


def number_signals(setup: Setup, test: str, unit: str) -> list[Signal]:
    """Return a signal for each number of the profile."""
    return [_signal(name, test, unit, setup.floors.ks_distance) for name in setup.profile.numbers]


def category_signals(setup: Setup, test: str, unit: str) -> list[Signal]:
    """Return a signal for each category of the profile."""
    return [_signal(name, test, unit, setup.floors.cramers_v) for name in setup.profile.categories]


def _signal(name: str, test: str, unit: str, floor: float) -> Signal:
    return Signal("feature_drift", name, test, unit, floor, 1.0, scale=0.0, rises_only=True)


def _start() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "streams.detectors._alibi_worker"]
    # Nothing from outside is in the command, and there is no shell: the interpreter that runs this starts a module of ours.
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=-1)  # noqa: S603 - see above
