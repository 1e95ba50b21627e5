"""The records on the topics, as msgspec structs. Times are epoch milliseconds (UTC) and end in `_ms`."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

CHAMPION = "champion"
CANARY = "canary"


class Request(msgspec.Struct, gc=False):
    """What a caller asks a score for: `{"id": ..., "time_ms": ..., "features": {column: value or null}}`.

    The decoder used on the wire is built from the model's schema (`streams/dialects/native.py`); this class is for writers.
    """

    id: str
    time_ms: int
    features: dict[str, float | str | None]


class ShadowScore(msgspec.Struct, gc=False):
    """What another model would have answered for the same row."""

    name: str
    digest: str
    score: float


class Prediction(msgspec.Struct, gc=False, kw_only=True):
    """One served request. Backfill, parity, training and judging need nothing else.

    `partition` and `offset` are the request's position; `columns` holds every declared column; `windows` the
    value of every window that any loaded bundle reads, by its spec's name; `flags` says why a valid row is
    suspect (such a row is scored, but held out of windows, references and training). `route` is `champion` or `canary`: whose
    `score` it is; while there is a canary, what the other of the two says stands among the `shadows` under its route's name.
    `rejected_before` is how many records of the task's requests went to quarantine since its prediction before this one: they
    have no event time, so they are counted with the next request that has. `received_ms` is the timestamp of the request's
    record, where a detector asks for it and it isn't a replay's. Both are left out of the wire record where they say nothing.
    """

    id: str
    partition: int
    offset: int
    time_ms: int
    columns: dict[str, float | str | None]
    windows: dict[str, float | None] = {}
    score: float
    digest: str
    generation: int
    route: str = CHAMPION
    flags: list[str] = []
    shadows: list[ShadowScore] = []
    rejected_before: int = 0
    received_ms: int | None = None


class Label(msgspec.Struct, gc=False):
    """The truth about a request, and when it was known. A null label means: will never be known."""

    id: str
    label: float | None
    time_ms: int


class Outcome(msgspec.Struct, gc=False, kw_only=True):
    """A prediction joined with its label. `known_ms` is when the label became known."""

    prediction: Prediction
    label: float
    known_ms: int
    label_partition: int
    label_offset: int
    revision: int = 0


class Rejected(msgspec.Struct, gc=False, kw_only=True):
    """A quarantined record: why, where it was, and all of it, unless it was too large to keep and is `cut`. Bytes are base64."""

    model: str
    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    value: bytes
    quarantined_ms: int
    key: bytes | None = None
    headers: list[tuple[str, bytes]] = []
    cut: bool = True  # entries of before there were keys and headers aren't whole


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle in one role of a deployment. `name` is `champion` or the name of a shadow."""

    name: str
    digest: str


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle that answers a share of the requests: those whose key the salt sends to it (`streams/contracts/canary.py`).

    `weight` is the share, above 0 and at most 1. With the same salt a key that it answers goes on to be answered by it while the
    weight grows.
    """

    digest: str
    weight: float
    salt: str


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """What a model's workers shall serve. Compacted, the key is the model's name.

    From `effective_ms` in event time, `active` holds (one slot named `champion`, any number of shadows), and `canary` answers its
    share; `preparing` are digests that owners verify, load, warm and backfill beforehand. Generations only grow.
    """

    model: str
    generation: int
    active: tuple[Slot, ...]
    preparing: tuple[str, ...] = ()
    effective_ms: int
    reason: str
    canary: Canary | None = None

    @property
    def champion(self) -> str:
        """Digest of the champion."""
        return next(slot.digest for slot in self.active if slot.name == CHAMPION)

    @property
    def digests(self) -> tuple[str, ...]:
        """Digests of all that answers or shadows, each once: the champion, the canary, shadows."""
        canary = () if self.canary is None else (self.canary.digest,)
        return tuple(dict.fromkeys((self.champion, *canary, *(slot.digest for slot in self.active))))


class WorkerReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker says of itself on `driftwake.workers`. Compacted, the key is `{stage}/{model}/{partition}`.

    `ready` are digests that are verified, loaded, warm and backfilled; `refused` maps a digest to the reason;
    `generation` is the newest deployment record read; `watermark_ms` how far the stage has come in event time; `backfilled`
    the share of the archived facts that new windows have taken in, 1 where nothing is being prepared.
    """

    stage: str
    model: str
    partition: int
    epoch: str
    generation: int = 0
    ready: tuple[str, ...] = ()
    refused: dict[str, str] = {}
    watermark_ms: int = -1
    backfilled: float = 1.0


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """An order to the daemon, from a person or a pipeline. Applied once per `id`."""

    id: str
    kind: Literal[
        "challenge", "shadow", "canary", "rollback", "freeze", "unfreeze", "approve", "refuse", "propose_plan", "propose_goal",
        "approve_goal", "retire_goal", "approve_playbook", "retire_playbook",
    ]  # fmt: skip
    model: str
    by: str
    arguments: dict[str, Any] = {}


class TaskState(msgspec.Struct, kw_only=True):
    """The state record that a task writes in the same transaction as its outputs.

    `positions` are the next offsets to read, `rebuild_from` the offsets from which the task's memory is
    folded again after a restart (both keyed `topic/partition`); `details` is what the stage adds (plain JSON).
    """

    positions: dict[str, int]
    rebuild_from: dict[str, int] = {}
    details: dict[str, Any] = {}


MARKER_HEADER = "dw_marker"


class GenerationMarker(msgspec.Struct, frozen=True, kw_only=True):
    """Written with the first predictions of a generation, in their transaction: from which offset it serves.

    Its record among the predictions has the key `dw:marker:<partition>` and the header `MARKER_HEADER`.
    """

    model: str
    generation: int
    digest: str
    partition: int
    first_offset: int
    effective_ms: int
