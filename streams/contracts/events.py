"""Events as CloudEvents 1.0 on Kafka in binary mode: attributes in `ce_` headers, the data as the value."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import msgspec

from streams.contracts.errors import ContractError

SOURCE = "/driftwake"
CONTENT_TYPE = b"application/json"

Transition = Literal["suspected", "confirmed", "cleared"]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One test that fired: what was watched, how, how surprising and how large.

    `p_value` is the chance that a bucket raises so improbable an alarm anywhere among all that is watched; `effect` is in the
    unit that `effect_unit` names, over the stretch of `rows` rows that began at `since_ms`; `before` and `after` are small
    sketches for people (numbers only).
    """

    watched: str
    method: str
    p_value: float
    effect: float
    effect_unit: str
    before: dict[str, float] = {}
    after: dict[str, float] = {}
    since_ms: int = 0
    rows: float = 0.0


class DriftEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A monitor's statement. `kind` is the closed set of `KINDS`; `id` is a digest of what is stated, so a replay repeats it.

    `is_calibrated` says whether the rate of false alarms was measured on the model's own past, or rows are only assumed
    independent.
    """

    id: str
    kind: str
    transition: Transition
    model: str
    digest: str
    detector: str
    time_ms: int
    bucket_start_ms: int
    bucket_end_ms: int
    rows: int
    evidence: tuple[Evidence, ...]
    causation_id: str = ""
    is_calibrated: bool = False


KINDS = (
    "data_quality",
    "feature_drift",
    "score_drift",
    "label_drift",
    "loss_drift",
    "performance",
    "performance_estimate",
    "serving",
)


def encode_event(event: DriftEvent) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """Return key, value and headers of the Kafka record."""
    when = dt.datetime.fromtimestamp(event.time_ms / 1_000, dt.UTC).isoformat()
    attributes = {
        "specversion": "1.0",
        "id": event.id,
        "source": f"{SOURCE}/{event.model}",
        "type": f"io.driftwake.{event.kind}.{event.transition}.v1",
        "time": when,
        "subject": event.detector,
    }
    if event.causation_id:
        attributes["causationid"] = event.causation_id
    headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
    return event.model.encode(), msgspec.json.encode(event), [("content-type", CONTENT_TYPE), *headers]


def decode_event(value: bytes, headers: list[tuple[str, bytes]]) -> DriftEvent:
    """Decode one of our events from its record.

    Raises:
        ContractError: it isn't a CloudEvent of version 1.0 in binary mode with our data.
    """
    attributes: dict[str, Any] = {name: data for name, data in headers if name.startswith("ce_")}
    if attributes.get("ce_specversion") != b"1.0":
        raise ContractError("not a CloudEvent 1.0 in binary mode: header ce_specversion is missing or not 1.0")
    try:
        return msgspec.json.decode(value, type=DriftEvent)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ContractError(f"event data: {error}") from error
