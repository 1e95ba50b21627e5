"""Errors of the data plane.

StreamsError
├── ContractError      a record, manifest or spec breaks its contract: say where, never guess
├── BundleRefused      a bundle can't be trusted or loaded: the slot keeps what it has
├── TransportError     the broker said no, or nothing
│   ├── BrokerError    the embedded broker could not be started: the operator must act
│   └── FencedError    another worker took over the task: this one stops
└── LakeError          a table could not be written or read
"""

from __future__ import annotations


class StreamsError(Exception):
    """Base of all errors that the data plane raises on purpose."""


class ContractError(StreamsError):
    """A record, manifest or spec breaks its contract."""


class BundleRefused(StreamsError):  # noqa: N818 - a decision about a bundle, named as people say it
    """A bundle failed a check; the slot keeps the model it has."""


class TransportError(StreamsError):
    """Talking to the broker failed."""


class BrokerError(TransportError):
    """The embedded broker could not be started or died."""


class FencedError(TransportError):
    """Another process owns the task now; this one must stop working on it."""


class LakeError(StreamsError):
    """A table could not be written or read."""
