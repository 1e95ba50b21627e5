"""Packed batches are what the client library's own reader, and so any Kafka client, reads."""

from __future__ import annotations

import random

import pytest
from aiokafka.record.memory_records import MemoryRecords

from streams.transport.packing import PackedBatch, pack
from streams.transport.records import Output

NOISE = random.Random(3)  # noqa: S311 - no secret
OUTPUTS = [
    Output("t", 0, b"k%d" % number, b'{"x": "hello hello hello", "n": %d}' % number, (("h", b"1"),) if number % 3 else ())
    for number in range(500)
]


def read(batch: PackedBatch) -> list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]]:
    """What a consumer finds in a batch that a transactional producer (7, epoch 2) sends with sequence 40."""
    batch._set_producer_state(7, 2, 40)
    wire = bytes(batch._build())
    assert len(wire) == batch.size()
    records = MemoryRecords(wire)
    found = records.next_batch()
    assert found is not None
    assert found.validate_crc()
    assert (found.producer_id, found.producer_epoch, found.base_sequence) == (7, 2, 40)
    assert found.is_transactional
    assert not records.has_next()
    return [(record.key, record.value, list(record.headers)) for record in found]


@pytest.mark.parametrize("batch_bytes", [1_000, 5_000, 4 << 20])
def test_every_output_is_in_one_batch_in_order(batch_bytes: int) -> None:
    batches = pack(OUTPUTS, batch_bytes, is_transactional=True)
    assert [record for batch in batches for record in read(batch)] == [(o.key, o.value, list(o.headers)) for o in OUTPUTS]
    assert sum(batch.record_count() for batch in batches) == len(OUTPUTS)
    assert all(batch.closed() for batch in batches)
    assert (len(batches) == 1) == (batch_bytes > 1_000_000)


def test_what_compresses_is_compressed_and_what_does_not_is_left() -> None:
    (small,) = pack(OUTPUTS, 4 << 20, is_transactional=True)
    assert small.size() < sum(len(output.value or b"") for output in OUTPUTS) / 3
    noise = [Output("t", 0, None, NOISE.randbytes(10_000))]
    (large,) = pack(noise, 4 << 20, is_transactional=True)
    assert large.size() > 10_000
    assert read(large) == [(None, noise[0].value, [])]


def test_a_record_larger_than_a_batch_has_one_of_its_own_and_a_tombstone_stays_one() -> None:
    outputs = [Output("t", 0, b"a", None), Output("t", 0, b"b", NOISE.randbytes(5_000)), Output("t", 0, b"c", b"x")]
    batches = pack(outputs, 1_000, is_transactional=True)
    assert [batch.record_count() for batch in batches] == [1, 1, 1]
    assert [record[:2] for batch in batches for record in read(batch)] == [(o.key, o.value) for o in outputs]


def test_a_batch_that_is_sent_again_is_the_same() -> None:
    (batch,) = pack(OUTPUTS, 4 << 20, is_transactional=True)
    batch._set_producer_state(7, 2, 40)
    assert batch._build() is batch._build()
