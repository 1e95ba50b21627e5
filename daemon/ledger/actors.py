"""Who acts, as the audit names them. What people call themselves stands behind a prefix, so nobody can sign as the daemon."""

from __future__ import annotations

DAEMON = "driftwake"


def person(name: str) -> str:
    """Name somebody who gave a command."""
    return f"person:{name}"


def planner(name: str) -> str:
    """Name a planner whose proposal became a plan."""
    return f"planner:{name}"
