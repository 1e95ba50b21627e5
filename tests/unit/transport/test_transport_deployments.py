"""Whose deployments are believed: signed ones of this model, each newer than the last; whatever else comes is ignored by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.records import Canary, Deployment, Slot
from streams.runtime.signing import Signer, Verifier
from streams.transport.deployments import SIGNATURE_HEADER, DeploymentReader, deployment_output, read_back
from streams.transport.records import Record

OWNER, STRANGER, FORMER = (Signer(Ed25519PrivateKey.generate()) for _ in range(3))


def deployment(generation: int = 1, model: str = "toys", **more: Any) -> Deployment:
    active = more.pop("active", (Slot(name="champion", digest="d"),))
    return Deployment(model=model, generation=generation, active=active, effective_ms=0, reason="r", **more)


def record_of(one: Deployment, signer: Signer = OWNER, **changed: Any) -> Record:
    return msgspec.structs.replace(read_back(deployment_output(one, signer)), **changed)


class Reading:
    def __init__(self) -> None:
        self.ignored: list[str] = []
        self.reader = DeploymentReader("toys", Verifier([FORMER.public, OWNER.public]), self.ignored.append)

    def __call__(self, *records: Record) -> list[int]:
        return [one.generation for one in self.reader.read(records)]


@pytest.fixture
def reading() -> Reading:
    return Reading()


def test_what_the_owner_signs_is_believed_also_with_a_former_key(reading: Reading) -> None:
    assert reading(record_of(deployment(1), FORMER), record_of(deployment(2))) == [1, 2]
    assert reading.reader.newest == deployment(2)
    assert reading(record_of(deployment(2))) == [], "written again by who heals the topic"
    assert reading.ignored == []


@pytest.mark.parametrize(
    "disturb",
    [
        lambda record: msgspec.structs.replace(record, headers=()),
        lambda record: msgspec.structs.replace(record, headers=((SIGNATURE_HEADER, b""),)),
        lambda record: msgspec.structs.replace(record, value=record.value.replace(b'"generation":2', b'"generation":3')),
        lambda record: record_of(deployment(2), STRANGER),
        lambda record: msgspec.structs.replace(record_of(deployment(2, "others")), key=b"toys"),
    ],
    ids=["no header", "empty", "altered", "a stranger's", "signed for another model"],
)
def test_what_nobody_has_signed_is_ignored(reading: Reading, disturb: Callable[[Record], Record]) -> None:
    assert reading(record_of(deployment(1)), disturb(record_of(deployment(2)))) == [1]
    assert reading.ignored == ["unsigned"]


def test_an_older_generation_brings_nothing_back(reading: Reading) -> None:
    assert reading(record_of(deployment(5)), record_of(deployment(4))) == [5]
    other_five = deployment(5, active=(Slot(name="champion", digest="another"),))
    assert reading(record_of(other_five)) == []
    assert reading.ignored == ["old", "old"]


@pytest.mark.parametrize(
    "one",
    [
        deployment(active=()),
        deployment(active=(Slot(name="champion", digest="a"), Slot(name="champion", digest="b"))),
        deployment(active=(Slot(name="champion", digest="a"), Slot(name="canary", digest="b"))),
        deployment(active=(Slot(name="champion", digest="a"), Slot(name="s", digest="b"), Slot(name="s", digest="c"))),
        deployment(canary=Canary(digest="b", weight=0.0, salt="")),
        deployment(canary=Canary(digest="b", weight=1.5, salt="")),
        deployment(0),
    ],
)
def test_an_invalid_deployment_is_ignored_however_well_signed(reading: Reading, one: Deployment) -> None:
    assert reading(record_of(one)) == []
    assert reading.ignored == ["invalid"]


def test_other_models_and_tombstones_are_none_of_its_business(reading: Reading) -> None:
    assert reading(record_of(deployment(1, "others")), Record("t", 0, 0, b"toys", None, (), 0)) == []
    assert reading.ignored == []


@given(st.binary(max_size=200), st.lists(st.tuples(st.sampled_from([SIGNATURE_HEADER, "x"]), st.binary(max_size=80)), max_size=3))
def test_any_bytes_are_ignored(value: bytes, headers: list[tuple[str, bytes]]) -> None:
    reading = Reading()
    assert reading(Record("t", 0, 0, b"toys", value, tuple(headers), 0)) == []


@given(st.binary(max_size=200))
def test_any_signed_bytes_end_in_a_reason(value: bytes) -> None:
    reading = Reading()
    signature = OWNER.sign(b"driftwake deployment\ntoys\n" + value)
    assert reading(Record("t", 0, 0, b"toys", value, ((SIGNATURE_HEADER, signature),), 0)) == []
    assert reading.ignored == (["unreadable"] if value else [])
