"""Calling a running daemon: HTTP with a token, and its problems as this program's errors.

No redirect is followed and no proxy is asked, so that a token goes nowhere but where it is meant for.
"""

from __future__ import annotations

import http.client
import ipaddress
import ssl
from collections.abc import Mapping
from typing import Any, Final, TypeVar
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import msgspec

from daemon.commands.errors import BadInputError
from daemon.errors import DaemonError

Answer = TypeVar("Answer")

SECONDS: Final = 60.0
_MOST_BYTES: Final = 32 << 20
_BAD_INPUT: Final = frozenset({400, 404, 413, 415, 422})
_UNKNOWN: Final = (
    "the daemon doesn't know this token, or it is void; name the file of yours, --token-file, or put it into DRIFTWAKE_TOKEN"
)
_NOT_ALLOWED: Final = "your token's role may not do that, or not with this model; ask who keeps the daemon's token file"


class UnreachableError(DaemonError):
    """No daemon answers there."""


class Caller:
    """A daemon at a URL, and the token of who asks.

    Raises:
        BadInputError: the URL isn't one, or a token would go over the network as it is.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url = _checked(url)
        self._token = token

    def get(self, path: str, kind: type[Answer], /, **query: Any) -> Answer:
        """Ask for something; a query's None is left out.

        Raises:
            UnreachableError: nobody answers.
            BadInputError: there is no such thing; the message says what there is.
            DaemonError: the daemon said no.
        """
        given = {name: _written(value) for name, value in query.items() if value is not None}
        return self._read("GET", f"{path}?{urlencode(given)}" if given else path, None, kind)

    def post(self, path: str, content: Any, kind: type[Answer]) -> Answer:
        """Tell something.

        Raises:
            UnreachableError: nobody answers.
            BadInputError: it makes no sense; the message says why.
            DaemonError: the daemon said no.
        """
        return self._read("POST", path, msgspec.json.encode(content), kind)

    def _read(self, method: str, path: str, body: bytes | None, kind: type[Answer]) -> Answer:
        status, answer = self._call(method, path, body)
        if status >= 300:
            raise _error_of(status, answer)
        try:
            return msgspec.json.decode(answer, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise DaemonError(f"{self._url.netloc} isn't a daemon of this version: {error}") from error

    def _call(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        connection = self._connection()
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json", "Connection": "close"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, self._url.path.rstrip("/") + path, body, headers)
            response = connection.getresponse()
            answer = response.read(_MOST_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(f"no daemon answers at {self._url.netloc}: {error}") from error
        finally:
            connection.close()
        if len(answer) > _MOST_BYTES:
            raise DaemonError(f"{self._url.netloc} sent more than {_MOST_BYTES} bytes")
        return response.status, answer

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=SECONDS, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, port, timeout=SECONDS)


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def part(name: str) -> str:
    """Write a name as one part of a path."""
    return quote(name, safe="")


def _checked(url: str) -> SplitResult:
    try:
        given = urlsplit(url)
        valid = given.scheme in {"http", "https"} and given.hostname and given.port != 0
    except ValueError:
        valid = False
    if not valid or given.username is not None or given.query or given.fragment:
        raise BadInputError(f"--url {url!r}: give a daemon's URL, for instance https://driftwake.example.com")
    if given.scheme == "http" and not _is_loopback(str(given.hostname)):
        raise BadInputError(f"--url {url!r}: your token would go over the network as it is; use https")
    return given


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _error_of(status: int, answer: bytes) -> DaemonError:
    try:
        told: Mapping[str, Any] = msgspec.json.decode(answer, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        told = {}
    detail = str(told.get("detail", "")) or f"the daemon answered with status {status}"
    if status == 401:
        return DaemonError(_UNKNOWN)
    if status == 403:
        return DaemonError(_NOT_ALLOWED)
    return BadInputError(detail) if status in _BAD_INPUT else DaemonError(detail)
