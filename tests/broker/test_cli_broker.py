import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from daemon.cli import main
from streams.contracts.records import Canary, Deployment, Slot, WorkerReport
from streams.contracts.topics import TABLE, topic_name
from streams.runtime.signing import key_in
from streams.transport.admin import ensure_topics
from streams.transport.broker import EmbeddedBroker
from streams.transport.deployments import deployment_output
from streams.transport.publisher import Publisher
from streams.transport.records import Output

CONFIG = """\
data_dir: {folder}
broker: {{bootstrap: "{bootstrap}"}}
models: [{{name: parcels, schema: {{columns: [{{name: weight, kind: number}}]}}}}]
"""


async def test_slots_say_which_partitions_are_not_ready(
    broker: EmbeddedBroker, tmp_path: Path, unique: Callable[[str], str], capsys: pytest.CaptureFixture[str]
):
    model, bootstrap = unique("slots").replace(".", "_"), broker.bootstrap
    await ensure_topics(bootstrap, {topic_name(kind): TABLE[kind] for kind in ("deployments", "workers")}, 1)
    config = tmp_path / "driftwake.yaml"
    config.write_text(CONFIG.format(folder=tmp_path / "data", bootstrap=bootstrap).replace("parcels", model))
    asked = ["slots", model, "--config", str(config)]
    signer = key_in(tmp_path / "data" / "keys")
    assert await asyncio.to_thread(main, asked) == 1
    assert "nothing is deployed" in capsys.readouterr().err

    slot, canary = Slot(name="champion", digest="a" * 64), Canary(digest="b" * 64, weight=0.25, salt="s")
    deployed = Deployment(model=model, generation=3, active=(slot,), canary=canary, effective_ms=5, reason="a trial")
    reports = [
        WorkerReport(stage="serving", model=model, partition=0, epoch="one", generation=3, ready=("a" * 64, "b" * 64)),
        WorkerReport(stage="serving", model=model, partition=1, epoch="two", generation=3, ready=("a" * 64,)),
        WorkerReport(stage="serving", model=model, partition=1, epoch="two", generation=3, ready=("a" * 64, "b" * 64)),
    ]
    publisher = Publisher(bootstrap)
    await publisher.send(deployment_output(deployed, signer))
    for report, waits in zip(reports, (True, True, False), strict=True):
        key = f"serving/{model}/{report.partition}".encode()
        await publisher.send(Output(topic_name("workers"), 0, key, msgspec.json.encode(report)))
        assert await asyncio.to_thread(main, asked) == int(waits)
    await publisher.stop()
    shown = capsys.readouterr().out
    assert "a trial" in shown
    assert "0.25" in shown
    assert "1 of 2" in shown
    assert "2 of 2" in shown


async def test_slots_of_a_broker_that_is_gone_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = tmp_path / "driftwake.yaml"
    config.write_text(CONFIG.format(folder=tmp_path / "data", bootstrap="127.0.0.1:9"))
    assert await asyncio.to_thread(main, ["slots", "parcels", "--config", str(config)]) == 1
    assert "127.0.0.1:9" in capsys.readouterr().err


async def test_the_broker_alone_says_where_it_listens_and_stops_when_told(tmp_path: Path):
    code = "import sys; from daemon.cli import main; sys.exit(main(sys.argv[1:]))"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, "broker", "--data-dir", str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    line = ""
    while "Kafka listens on" not in line:
        line = (await asyncio.wait_for(process.stdout.readline(), 90)).decode()
        assert line, "it ended without a word"
    bootstrap = line.partition("Kafka listens on ")[2].partition(";")[0]
    await ensure_topics(bootstrap, {topic_name("commands"): TABLE["commands"]}, 1)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 60) == 0
