"""What was refused is listed, shown and sent in again, once, as it was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from daemon.cli import main
from streams.contracts.topics import TABLE, topic_name
from streams.transport.admin import ensure_topics
from streams.transport.broker import EmbeddedBroker
from streams.transport.quarantine import MOST_BYTES, refused
from streams.transport.records import Output, Record
from tests.kit.topics import publish, read_all

CONFIG = """\
data_dir: {folder}
broker: {{bootstrap: "{bootstrap}"}}
models:
  - name: {model}
    schema: {{columns: [{{name: weight, kind: number}}]}}
    topics: {{requests: {requests}}}
"""


class Desk(NamedTuple):
    """A model with some refused records, and its command line."""

    model: str
    requests: str
    bootstrap: str
    call: Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def desk(broker: EmbeddedBroker, unique: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    model, requests, bootstrap = unique("m").lower().replace(".", "-"), unique("asked"), broker.bootstrap
    await ensure_topics(bootstrap, {topic_name("quarantine"): TABLE["quarantine"]}, 1)
    await ensure_topics(bootstrap, {requests: TABLE["requests"]}, 3)
    config = tmp_path / "driftwake.yaml"
    config.write_text(CONFIG.format(folder=tmp_path / "data", bootstrap=bootstrap, model=model, requests=requests))

    async def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = await asyncio.to_thread(main, ["quarantine", *arguments, "--config", str(config)])
        said = capsys.readouterr()
        return code, said.out, said.err

    def refusal(offset: int, reason: str, **changes: Any) -> Output:
        given = {"topic": requests, "partition": 2, "key": b"k", "value": b"\x1b[2Jjunk", "headers": (("ce_id", b"7"),)}
        record = Record(offset=offset, timestamp_ms=7, **given | changes)
        return refused(record, model=model, reason=reason, detail="because", quarantined_ms=1_700_000_000_000)

    await publish(
        bootstrap,
        [
            refusal(10, "not_json"),
            refusal(11, "not_json", key=None, headers=()),
            refusal(12, "too_large", value=b"x" * (MOST_BYTES + 1)),
            refusal(13, "undecodable", topic=f"{model}.predictions"),
            Output(topic_name("quarantine"), None, b"somebody", b"not an entry"),
        ],
    )
    return Desk(model, requests, bootstrap, call)


async def test_a_list_counts_by_reason(desk: Desk) -> None:
    code, out, _ = await desk.call("list", "--model", desk.model)
    assert code == 0
    assert [f"{desk.requests}/2/{offset}" in out for offset in (10, 11, 12)] == [True] * 3
    assert "4 of 4 shown; 0 sent in again; 2 not_json, 1 too_large, 1 undecodable" in out
    code, out, _ = await desk.call("list", "--model", desk.model, "--reason", "not_json", "--limit", "1")
    assert f"{desk.requests}/2/10" not in out
    assert "1 of 2 shown" in out
    assert "0 of 0 shown" in (await desk.call("list", "--model", desk.model, "--since", "0s"))[1]
    found = json.loads((await desk.call("list", "--model", desk.model, "--json"))[1])
    assert found["reasons"] == {"not_json": 2, "too_large": 1, "undecodable": 1}


async def test_one_is_shown_without_obeying_it_and_saved_as_it_is(desk: Desk, tmp_path: Path) -> None:
    code, out, _ = await desk.call("show", f"{desk.requests}/2/10", "--save", str(tmp_path / "value"))
    assert code == 0
    assert "\x1b" not in out
    assert "header ce_id" in out
    assert (tmp_path / "value").read_bytes() == b"\x1b[2Jjunk"
    code, _, err = await desk.call("show", f"{desk.requests}/2/99")
    assert code == 2
    assert "`driftwake quarantine list`" in err


async def test_what_is_sent_in_again_is_what_it_was_and_goes_in_once(desk: Desk) -> None:
    before = len(await read_all(desk.bootstrap, desk.requests))
    only = ("--reason", "not_json", "--model", desk.model)
    assert "2 would be sent in again" in (await desk.call("replay", *only, "--dry-run"))[1]
    assert len(await read_all(desk.bootstrap, desk.requests)) == before
    code, out, _ = await desk.call("replay", "--model", desk.model)
    assert code == 0
    assert out.strip() == ("2 sent in again; 1 aren't whole: send them from where they came; 1 are no requests or labels")
    first, second = (await read_all(desk.bootstrap, desk.requests))[before:]
    assert (first.partition, first.key, first.value) == (2, b"k", b"\x1b[2Jjunk")
    assert first.headers == (("ce_id", b"7"), ("dw_replayed", f"{desk.requests}/2/10".encode()))
    assert (second.partition, second.key, second.headers) == (2, None, (("dw_replayed", f"{desk.requests}/2/11".encode()),))
    assert "0 sent in again; 2 were before" in (await desk.call("replay", *only))[1]
    assert "4 of 4 shown; 2 sent in again" in (await desk.call("list", "--model", desk.model))[1]
    assert "1 sent in again" in (await desk.call("replay", f"{desk.requests}/2/10", "--again"))[1]
    assert len(await read_all(desk.bootstrap, desk.requests)) == before + 3


async def test_what_it_cant_do_is_said(desk: Desk) -> None:
    assert (await desk.call("replay"))[0] == 2
    before = len(await read_all(desk.bootstrap, desk.requests))
    code, _, err = await desk.call("replay", f"{desk.requests}/2/10", f"{desk.requests}/0/1")
    assert (code, f"{desk.requests}/0/1 is in quarantine" in err) == (2, True)
    assert len(await read_all(desk.bootstrap, desk.requests)) == before, "bad input does nothing"
    assert (await desk.call("list", "--since", "soon"))[0] == 2
    assert (await desk.call("list", "--model", "nobody"))[0] == 2
