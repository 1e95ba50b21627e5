"""Errors of the command line.

DaemonError
└── BadInputError      what was asked for makes no sense: exit 2, and the message says what would
"""

from __future__ import annotations

from daemon.errors import DaemonError


class BadInputError(DaemonError):
    """What was asked for makes no sense; the message says what would."""
