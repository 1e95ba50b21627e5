"""What a careful person writes: micro-batches, exactly once, in one loop on aiokafka, four fields an answer and nothing checked.

One consumer, and one producer with the group's offsets in its transactions. `python -m tests.bench.plain_loop BOOTSTRAP REQUESTS
ANSWERS MODEL COUNT` ends after COUNT records.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

import msgspec
import numpy as np
import onnxruntime as ort
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.bench.worker import FEATURES

Row = msgspec.defstruct(
    "Row",
    [
        ("id", str),
        ("time_ms", int),
        ("features", msgspec.defstruct("Features", [(name, float) for name in FEATURES], gc=False)),
    ],
    gc=False,
)
Answer = msgspec.defstruct("Answer", [("id", str), ("time_ms", int), ("score", float), ("model", str)], gc=False)


async def answer(given: argparse.Namespace) -> None:
    """Answer so many requests."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(given.model, options, providers=["CPUExecutionProvider"])
    consumer = AIOKafkaConsumer(
        given.requests, group_id=given.answers, bootstrap_servers=given.bootstrap, auto_offset_reset="earliest",
        enable_auto_commit=False, max_partition_fetch_bytes=4 << 20, fetch_max_bytes=32 << 20, check_crcs=False,
        isolation_level="read_committed",
    )  # fmt: skip
    producer = AIOKafkaProducer(
        bootstrap_servers=given.bootstrap, linger_ms=0, max_batch_size=1 << 20, enable_idempotence=True,
        transactional_id=given.answers,
    )  # fmt: skip
    decode, encode = msgspec.json.Decoder(Row).decode, msgspec.json.Encoder().encode
    await consumer.start()
    await producer.start()
    done = 0
    while done < given.count:
        fetched = await consumer.getmany(timeout_ms=500, max_records=8_192)
        if not fetched:
            continue
        await producer.begin_transaction()
        sent: list[Any] = []
        for partition, records in fetched.items():
            rows = [decode(record.value) for record in records]
            table = np.array([msgspec.structs.astuple(row.features) for row in rows], np.float32)
            scores = (await asyncio.to_thread(session.run, ["score"], {"numbers": table}))[0].tolist()
            values = [encode(Answer(row.id, row.time_ms, score, "v1")) for row, score in zip(rows, scores, strict=True)]
            sent += await send(producer, given.answers, partition.partition, [record.key for record in records], values)
            done += len(records)
        await asyncio.gather(*sent)
        offsets = {partition: records[-1].offset + 1 for partition, records in fetched.items()}
        await producer.send_offsets_to_transaction(offsets, given.answers)
        await producer.commit_transaction()
    await consumer.stop()
    await producer.stop()


async def send(producer: Any, topic: str, partition: int, keys: list[bytes], values: list[bytes]) -> list[Any]:
    """Send values in as few batches as hold them."""
    sent, batch = [], producer.create_batch()
    for key, value in zip(keys, values, strict=True):
        if batch.append(key=key, value=value, timestamp=None) is None:
            batch.close()
            sent.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)
    batch.close()
    return [*sent, await producer.send_batch(batch, topic, partition=partition)]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bootstrap", "requests", "answers", "model"):
        parser.add_argument(name)
    parser.add_argument("count", type=int)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(answer(parser.parse_args()))


if __name__ == "__main__":
    main()
