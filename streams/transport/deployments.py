"""Deployments as records: signed by the one who may deploy, and believed by nobody otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import msgspec
import structlog

from streams.contracts.records import CANARY, CHAMPION, Deployment
from streams.contracts.topics import topic_name
from streams.runtime.signing import Signer, Verifier
from streams.transport.records import Output, Record

logger = structlog.get_logger(__name__)

SIGNATURE_HEADER = "dw_signature"
_PURPOSE = b"driftwake deployment\n"

Reason = Literal["unsigned", "unreadable", "invalid", "old"]


class _Ignored(NamedTuple):
    """Why a record isn't believed."""

    reason: Reason
    detail: str


def deployment_output(deployment: Deployment, signer: Signer) -> Output:
    """Make the record of a deployment; its signature covers the key and every byte of the value."""
    key, value = deployment.model.encode(), msgspec.json.encode(deployment)
    return Output(topic_name("deployments"), 0, key, value, ((SIGNATURE_HEADER, signer.sign(_signed(key, value))),))


def read_back(output: Output) -> Record:
    """Return a deployment's output as its record, for a reader that needn't wait until the log brings it."""
    return Record(output.topic, output.partition or 0, -1, output.key, output.value, tuple(output.headers), 0)


class DeploymentReader:
    """Reads the deployments of one model, in the order of their topic, and ignores what isn't to be believed.

    A record is believed when its signature holds, it is a deployment of this model with one champion, and its generation is newer
    than all before: who has an old record, signed as it is, brings nothing back with it.

    Args:
        model: the model's name.
        verifier: knows the public keys.
        ignored: called with the reason for every record of the model that is ignored.
    """

    def __init__(self, model: str, verifier: Verifier, ignored: Callable[[Reason], None] = lambda reason: None) -> None:
        self._model = model
        self._verifier = verifier
        self._ignored = ignored
        self._newest: Deployment | None = None

    @property
    def newest(self) -> Deployment | None:
        """The newest deployment that was believed."""
        return self._newest

    def read(self, records: Iterable[Record]) -> list[Deployment]:
        """Return the new deployments among records of any models."""
        own = (record for record in records if record.key == self._model.encode() and record.value)
        return [deployment for record in own if (deployment := self._read(record)) is not None]

    def _read(self, record: Record) -> Deployment | None:
        found = self._checked(record)
        if isinstance(found, _Ignored):
            logger.warning("DeploymentIgnored", model=self._model, offset=record.offset, **found._asdict())
            self._ignored(found.reason)
            return None
        if found == self._newest:
            return None
        self._newest = found
        return found

    def _checked(self, record: Record) -> Deployment | _Ignored:
        value = record.value or b""
        signature = next((header for name, header in record.headers if name == SIGNATURE_HEADER), b"")
        if not self._verifier.holds(_signed(self._model.encode(), value), signature):
            return _Ignored("unsigned", "nobody who may deploy has signed it")
        try:
            deployment = msgspec.json.decode(value, type=Deployment)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return _Ignored("unreadable", str(error))
        if objection := _objection(deployment, self._model):
            return _Ignored("invalid", objection)
        newest = self._newest
        if newest is not None and deployment.generation <= newest.generation and deployment != newest:
            return _Ignored("old", f"generation {newest.generation} was before it")
        return deployment


def _objection(deployment: Deployment, model: str) -> str:
    names = [slot.name for slot in deployment.active]
    if deployment.model != model:
        return "it is another model's"
    if names.count(CHAMPION) != 1 or CANARY in names or len(set(names)) != len(names):
        return "its slots are no champion and shadows with names of their own"
    if deployment.canary is not None and not 0 < deployment.canary.weight <= 1:
        return "the weight of its canary isn't above 0 and at most 1"
    return "" if deployment.generation > 0 else "its generation isn't positive"


def _signed(key: bytes, value: bytes) -> bytes:
    return _PURPOSE + key + b"\n" + value
