"""What every call must pass before anything looks at it: the right name, a known token, JSON of bounded size.

Plain ASGI around the whole application, so that no route can forget it. Whatever goes wrong leaves as a problem, without a word
about the inside.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any, Final

from daemon.access.attempts import Attempts
from daemon.access.secret import TokensError
from daemon.access.tokens import Identity, Tokens
from daemon.api.problems import CONTENT_TYPE, Problem, body_of
from streams.runtime.logging import Log

log = Log("daemon.api.guard")

HEALTH: Final = "/v1/health"
IDENTITY: Final = "driftwake.identity"
MOST_BYTES: Final = 64 << 10
_BODY_SECONDS: Final = 10.0
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guard:
    """Stands before an application.

    Args:
        application: finds who calls in its scope under `IDENTITY`, except for `HEALTH`, and the whole body in one message.
        tokens: who is believed.
        attempts: counts tokens that are nobody's.
        hosts: names, beside loopback's own, under which callers may reach it.
    """

    def __init__(self, application: Application, tokens: Tokens, attempts: Attempts, hosts: Iterable[str]) -> None:
        self._application = application
        self._tokens = tokens
        self._attempts = attempts
        self._hosts = _LOOPBACK_NAMES | frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # nothing here speaks anything else; the server refuses what isn't accepted
        answer = _Answer(send)
        try:
            receive = await self._admit(scope, receive)
            await self._application(scope, receive, answer.send)
        except Problem as problem:
            await answer.tell(problem)
        except Exception as error:  # noqa: BLE001 - the last frame: what it was goes to the log, not to the caller
            log.error("CallFailed", path=str(scope["path"])[:200], error=error)  # noqa: TRY400 - it has the traceback
            await answer.tell(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a defect; the daemon's log has it as CallFailed"))

    async def _admit(self, scope: Scope, receive: Receive) -> Receive:
        headers = _headers_of(scope)
        self._check_host(headers)
        if not (scope["path"] == HEALTH and scope["method"] == "GET"):
            scope[IDENTITY] = self._known(headers, scope)
        if scope["method"] != "POST":
            return _nothing(receive)
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "write the body as JSON, and say so: Content-Type: application/json")
        return _replayed(await _body(headers, receive), receive)

    def _check_host(self, headers: Mapping[str, str]) -> None:
        """Refuse a call by a name that isn't ours: a browser that was led here by a false name sends that (DNS rebinding)."""
        name, port = _split_host(headers.get("host", ""))
        if name not in self._hosts or not (port == "" or port.isdecimal()):
            raise Problem(HTTPStatus.MISDIRECTED_REQUEST, "not a name of this daemon; `access.hosts` lists those it has")

    def _known(self, headers: Mapping[str, str], scope: Scope) -> Identity:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        try:
            who = self._tokens.identity(token.strip()) if scheme.lower() == "bearer" else None
        except TokensError:
            detail = "who calls can't be checked: the token file can't be used; the daemon's log says why"
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail) from None
        if who is not None:
            return who
        address = str((scope.get("client") or ("",))[0])
        wait_s = self._attempts.fail(address) if token else 0.0
        if wait_s > 0:
            detail = "too many tokens that are nobody's; come back later"
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, {"retry-after": str(int(wait_s) + 1)})
        if token:
            log.warning("CallRefused", address=address, reason="the token is nobody's, or void")
        raise Problem(HTTPStatus.UNAUTHORIZED, headers={"www-authenticate": "Bearer"})


class _Answer:
    """An answer on its way: gets the headers that every one has, and becomes a problem while nothing of it has left."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
        await self._send(message)

    async def tell(self, problem: Problem) -> None:
        if self._begun:
            return
        body = body_of(problem)
        headers = {"content-type": CONTENT_TYPE, "content-length": str(len(body)), **problem.headers}
        if problem.status in {HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT}:
            headers["connection"] = "close"  # the rest of the body isn't read
        written = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": int(problem.status), "headers": written})
        await self.send({"type": "http.response.body", "body": body})


def _headers_of(scope: Scope) -> dict[str, str]:
    """Return the headers by name; of what may be said once only, the double makes it empty, which is then refused."""
    found: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1").lower()
        found[name] = "" if name in found else value.decode("latin-1")
    return found


def _split_host(host: str) -> tuple[str, str]:
    """Cut a Host header into name and port; the name in lower case, IPv6 in brackets."""
    if host.startswith("["):
        inside, closed, rest = host[1:].partition("]")
        try:
            address = ipaddress.IPv6Address(inside)
        except ValueError:
            return "", ""
        is_whole = bool(closed) and (not rest or rest.startswith(":"))
        return (f"[{address}]", rest.removeprefix(":")) if is_whole else ("", "")
    name, _, port = host.partition(":")
    return name.lower().removesuffix("."), port


async def _body(headers: Mapping[str, str], receive: Receive) -> bytes:
    """Read a body of bounded size within a bounded time."""
    too_large = Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {MOST_BYTES} bytes")
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MOST_BYTES:
        raise too_large
    read = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise Problem(HTTPStatus.BAD_REQUEST, "the caller went away")
                read += message.get("body", b"")
                if len(read) > MOST_BYTES:
                    raise too_large
                if not message.get("more_body", False):
                    return bytes(read)
    except TimeoutError:
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, f"the body wasn't there in {_BODY_SECONDS:g} s") from None


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read already in one message; behind it comes what comes."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _nothing(receive: Receive) -> Receive:
    """Give no body: what a call carries that has none is never read."""
    return _replayed(b"", receive)
