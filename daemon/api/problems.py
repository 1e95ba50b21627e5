"""What goes wrong, told as problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec

from daemon.errors import DaemonError
from streams.runtime.text import cleaned

CONTENT_TYPE: Final = "application/problem+json"


class Problem(DaemonError):  # noqa: N818 - as RFC 9457 calls it
    """A call that can't be answered.

    Args:
        status: of HTTP.
        detail: what is wrong and what to do; empty where the caller is to learn nothing (401, 403).
        headers: that go with it.
    """

    def __init__(self, status: HTTPStatus, detail: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail or status.phrase)
        self.status = status
        self.detail = cleaned(detail)
        self.headers = dict(headers or {})


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a problem; `type` is `about:blank`, so the title is the status's own (RFC 9457, 4.2.1)."""

    title: str
    status: int
    detail: str = ""


def body_of(problem: Problem) -> bytes:
    """Write a problem's body."""
    return msgspec.json.encode(ProblemDetails(title=problem.status.phrase, status=int(problem.status), detail=problem.detail))
