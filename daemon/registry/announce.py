"""Telling who serves a model elsewhere which bundle ought to be served, by POST, until they say yes.

The body is JSON, `{"model", "champion", "generation", "bundle", "reason", "effective_ms"}`; `bundle` is the champion's folder in
the registry. The header `Idempotency-Key` is `model/generation`. After a restart the champion is told again, with the generation
of then: who serves it already has nothing to do.
`X-Driftwake-Signature` is the body's Ed25519 signature in base64, by the key that `driftwake key` shows. Any status from 200 to
299 means yes.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Protocol

import aiohttp
import msgspec

from daemon.errors import RegistryError
from daemon.ledger.ledger import Ledger
from streams.contracts.records import Deployment
from streams.runtime.logging import Log
from streams.runtime.signing import Signer

log = Log("daemon.registry.announce")

_SECONDS = 10.0
_FIRST_PAUSE_MS, _LONGEST_PAUSE_MS = 1_000, 300_000


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What ought to be served."""

    model: str
    champion: str
    generation: int
    bundle: str
    reason: str
    effective_ms: int


class Listener(Protocol):
    """Who is told. Called by the loop when the champion is another; failing stops nothing."""

    async def tell(self, notice: Notice) -> None:
        """Tell; return once they said yes.

        Raises:
            RegistryError: they said no, or nothing.
        """
        ...


class Webhook:
    """A URL that is told.

    Args:
        url: of an HTTP server.
        signer: signs what is told.
    """

    def __init__(self, url: str, signer: Signer) -> None:
        self._url = url
        self._signer = signer

    async def tell(self, notice: Notice) -> None:
        """Send the notice.

        Raises:
            RegistryError: they said no, or nothing within 10 s.
        """
        body = msgspec.json.encode(notice)
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": f"{notice.model}/{notice.generation}",
            "X-Driftwake-Signature": base64.b64encode(self._signer.sign(body)).decode(),
        }
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                if not 200 <= answer.status < 300:
                    raise RegistryError(f"the webhook answered {answer.status}")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise RegistryError(f"the webhook: {type(error).__name__}: {error}"[:300]) from error


class Announcer:
    """Keeps a listener up to date about one model's champion. Failures are noted in the audit and stop nothing.

    Args:
        model: whose champion.
        ledger: where it is noted what was told, and what failed.
        listener: who is told.
        bundles: folder of the bundle store.
    """

    def __init__(self, model: str, ledger: Ledger, listener: Listener, bundles: Path) -> None:
        self._model = model
        self._ledger = ledger
        self._listener = listener
        self._bundles = bundles
        self._told = ""
        self._failures = 0
        self._again_wall_ms = 0

    async def follow(self, deployment: Deployment, now_ms: int) -> None:
        """Tell of the champion when it is another than was told last; after a failure not before a pause is over."""
        champion = deployment.champion
        if champion == self._told or self._ledger.wall_ms() < self._again_wall_ms:
            return
        notice = Notice(
            model=self._model,
            champion=champion,
            generation=deployment.generation,
            bundle=str(self._bundles / self._model / champion),
            reason=deployment.reason,
            effective_ms=deployment.effective_ms,
        )
        try:
            await self._listener.tell(notice)
        except RegistryError as error:
            self._note_failure(notice, error, now_ms)
            return
        self._told, self._failures, self._again_wall_ms = champion, 0, 0
        self._ledger.note("webhook.told", self._model, champion, now_ms, generation=notice.generation)

    def _note_failure(self, notice: Notice, error: RegistryError, now_ms: int) -> None:
        pause_ms = min(_FIRST_PAUSE_MS << min(self._failures, 20), _LONGEST_PAUSE_MS)
        self._failures += 1
        self._again_wall_ms = self._ledger.wall_ms() + pause_ms
        log.warning("WebhookFailed", model=self._model, error=str(error), tries=self._failures)
        if self._failures == 1:  # that it goes on is in the log: the audit isn't for repetitions
            self._ledger.note("webhook.failed", self._model, notice.champion, now_ms, error=str(error))
