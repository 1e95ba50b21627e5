"""Errors of the data plane.

StreamsError
├── ConfigError        the config can't be used: the operator must act; every finding is listed
├── PluginError        a family has no such kind, or it can't be loaded: pick another or install what it needs
├── ContractError      a record, manifest or spec breaks its contract: say where, never guess
├── SnapshotError      saved state can't be used: begin without it
├── BundleRefused      a bundle can't be trusted or loaded: the slot keeps what it has
├── TransportError     the broker said no, or nothing
│   ├── BrokerError    the embedded broker could not be started: the operator must act
│   └── FencedError    another worker took over the task: this one stops
└── LakeError          a table could not be written or read
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path


class StreamsError(Exception):
    """Base of all errors that the data plane raises on purpose."""


class ConfigError(StreamsError):
    """The config can't be used. `findings` are lines of the form `path: what is wrong and what to do`."""

    def __init__(self, findings: Sequence[str]) -> None:
        super().__init__("\n".join(findings))
        self.findings = tuple(findings)


class PluginError(StreamsError):
    """A family has no such kind, or the kind can't be loaded."""


class ContractError(StreamsError):
    """A record, manifest or spec breaks its contract."""


class SnapshotError(StreamsError):
    """Saved state can't be used: there is none, it is damaged, or it belongs to something else."""


class BundleRefused(StreamsError):  # noqa: N818 - a decision about a bundle, named as people say it
    """A bundle failed a check; the slot keeps the model it has."""


class TransportError(StreamsError):
    """Talking to the broker failed."""


class BrokerError(TransportError):
    """The embedded broker could not be started or died."""


class FencedError(TransportError):
    """Another process owns the task now; this one must stop working on it."""


class BackfillError(StreamsError):
    """What windows hold can't be rebuilt, for a reason that may pass."""


class LakeError(StreamsError):
    """A table could not be written or read."""


def place_of(error: BaseException) -> str:
    """Say what went wrong where, without a word of a library's: those may repeat a value of the data."""
    frames = traceback.extract_tb(error.__traceback__)
    at = f" in {frames[-1].name}, {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{at}"


def cause_of(error: BaseException) -> BaseException:
    """Return the first error of a group, however deep; any other error is its own cause."""
    return cause_of(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
