"""What most people write first: a Faust agent that takes one event, decodes it, scores one row, sends one answer.

`python -m tests.bench.naive_faust BOOTSTRAP REQUESTS ANSWERS MODEL COUNT FOLDER` ends after COUNT events.
"""

import argparse
import signal

import faust
import numpy as np
import onnxruntime as ort
from faust.worker import Worker


class Request(faust.Record, serializer="json"):
    """An event."""

    id: str
    time_ms: int
    features: dict


def build(given: argparse.Namespace) -> faust.App:
    """Make the app."""
    app = faust.App(
        given.answers,
        broker=f"kafka://{given.bootstrap}",
        store="memory://",
        topic_partitions=4,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
        datadir=given.folder,
    )
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(given.model, options, providers=["CPUExecutionProvider"])
    answers = app.topic(given.answers)
    done = 0

    @app.agent(app.topic(given.requests, key_type=bytes, value_type=Request))
    async def score(requests: faust.Stream) -> None:
        nonlocal done
        async for request in requests:
            row = np.array([list(request.features.values())], np.float32)
            answer = float(session.run(["score"], {"numbers": row})[0][0])
            await answers.send(key=request.id, value={"id": request.id, "score": answer})
            done += 1
            if done == given.count:
                signal.raise_signal(signal.SIGTERM)

    return app


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bootstrap", "requests", "answers", "model"):
        parser.add_argument(name)
    parser.add_argument("count", type=int)
    parser.add_argument("folder")
    Worker(build(parser.parse_args()), loglevel="WARNING", quiet=True).execute_from_commandline()


if __name__ == "__main__":
    main()
