"""What a failed call means: why there is no plan, whether a retry may help, and whether it may have cost something. Pure."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import anthropic
import httpx2

from daemon.planners.base import WhyNot

# The SDK builds messages out of whatever comes and checks nothing, so a reply that isn't one may raise any of the last six.
RAISED: Final = (
    anthropic.AnthropicError, httpx2.HTTPError, ValueError, TypeError, AttributeError, LookupError, AssertionError, RuntimeError,
)  # fmt: skip

_BY_TYPE: Final[dict[str, WhyNot]] = {
    "rate_limit_error": "rate_limited",
    "overloaded_error": "overloaded",
    "authentication_error": "not_authorised",
    "permission_error": "not_authorised",
    "billing_error": "not_authorised",
    "invalid_request_error": "rejected",
    "not_found_error": "rejected",
    "request_too_large": "rejected",
    "api_error": "overloaded",
    "timeout_error": "overloaded",
}
_BY_STATUS: Final[dict[int, WhyNot]] = {
    401: "not_authorised", 402: "not_authorised", 403: "not_authorised", 408: "overloaded", 409: "overloaded",
    429: "rate_limited",
}  # fmt: skip
_PASSING: Final = frozenset({"rate_limited", "overloaded", "transport"})
# Nothing of the request left this machine.
_UNSENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


class Failure(NamedTuple):
    """One call's failure. `wait_s` is the pause that the server asks for; `is_free`: it cost nothing for sure."""

    reason: WhyNot
    may_pass: bool
    is_free: bool
    wait_s: float | None = None
    request_id: str = ""


def failure_of(error: Exception) -> Failure:
    """Read one of `RAISED`."""
    if isinstance(error, anthropic.APIStatusError):
        return _refused(error)
    if isinstance(error, anthropic.APIConnectionError):
        return Failure("transport", may_pass=True, is_free=isinstance(error.__cause__, _UNSENT))
    if isinstance(error, httpx2.HTTPError):
        return Failure("transport", may_pass=True, is_free=False)
    return Failure("malformed", may_pass=False, is_free=False)


def _refused(error: anthropic.APIStatusError) -> Failure:
    """Read a status, or an error in the middle of a stream, which comes with the status 200 and its type only."""
    status, headers = error.status_code, error.response.headers
    kind: Any = error.type
    reason = _BY_TYPE.get(kind) if isinstance(kind, str) else None
    if reason is None:
        reason = _BY_STATUS.get(status, "overloaded" if status >= 500 else "transport" if status < 300 else "rejected")
    advice = headers.get("x-should-retry")
    may_pass = reason in _PASSING if advice not in {"true", "false"} else advice == "true"
    return Failure(reason, may_pass, is_free=status >= 400, wait_s=_wait_s(headers), request_id=str(error.request_id or ""))


def _wait_s(headers: httpx2.Headers) -> float | None:
    """Return what `retry-after-ms` or `retry-after` ask for, in seconds; a date isn't read, the usual pause does."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            wait_s = float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
        if wait_s >= 0:
            return wait_s
    return None
