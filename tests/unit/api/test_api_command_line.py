"""The command line as a client: the same words and numbers as from the ledger, and orders in the name of the token."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from daemon.cli import main
from tests.kit.api_world import api_deciding, api_running
from tests.kit.control import START, event


async def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = await asyncio.to_thread(main, arguments)
    return code, *capsys.readouterr()


LOOKS = (
    ["status"], ["status", "--json"], ["incidents"], ["incidents", "--json"], ["incidents", "--open", "--json"],
    ["incidents", "--model", "nonsense"], ["explain", "inc-"], ["explain", "inc-", "--json"], ["explain", "nothing"],
    ["audit", "show"], ["audit", "show", "--json", "--after", "2", "--limit", "3"], ["audit", "verify"],
    ["audit", "verify", "--anchor", "7"], ["audit", "show", "--json", "--actor", "planner:policy"],
    ["audit", "show", "--json", "--action", "incident.moved", "--model", "parcels"], ["audit", "show", "--model", "of before"],
    ["audit", "show", "--json", "--since", "2023-11-15", "--until", "2023-11-15T03:00"], ["audit", "show", "--since", "never"],
    ["goals"], ["goals", "--json"], ["goals", "--model", "nonsense"], ["goals", "show", "abc"], ["replay-incident", "inc-"],
)  # fmt: skip


async def test_it_shows_the_same_from_the_daemon_and_from_the_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with api_running(tmp_path, until="closed", local=True) as world:
        config = ("--config", str(world.config))
        asked = [await run(capsys, *look, *config) for look in LOOKS]
    read = [await run(capsys, *look, *config) for look in LOOKS]
    for look, one, other in zip(LOOKS, asked, read, strict=True):
        assert one == other, look
    expected = [0] * 5 + [2, 0, 0, 2, 0, 0, 0, 2] + [0, 0, 0, 0, 2] + [0, 0, 2, 2, 2]
    assert [code for code, _, _ in asked] == expected


async def test_an_order_is_given_in_the_name_of_the_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with api_running(tmp_path) as world:
        config = ("--config", str(world.config))
        code, _, said = await run(capsys, "freeze", "parcels", *config)
        assert (code, "--token-file" in said) == (1, True), "the file of tokens has no local one"
        code, shown, _ = await run(capsys, "freeze", "parcels", *config, "--token-file", str(world.secret("operator")))
        (order,) = world.ledger.commands("parcels")
        assert (code, order.command.kind, order.command.by, order.role) == (0, "freeze", "operator", "operator")
        assert order.command.id in shown
        (incident,) = world.ledger.incidents()
        words = ("approve", incident.id[-8:], *config, "--token-file")
        assert (await run(capsys, *words, str(world.secret("operator"))))[0] == 1
        assert (await run(capsys, *words, str(world.secret("approver"))))[0] == 0
        assert world.ledger.commands("parcels")[-1].command.arguments == {"plan_digest": incident.plan_digest}
        code, shown, _ = await run(capsys, "token", "list", *config, "--token-file", str(world.secret("admin")))
        assert (code, "narrow" in shown) == (0, True)
        models = {line.split()[0]: line for line in shown.splitlines() if line.startswith(("admin", "operator"))}
        assert " all " in models["admin"]
        assert "this daemon's" in models["operator"], "of a ledger that others share, only an admin sees all"


async def test_the_whole_audit_is_exported_by_who_sees_all_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with api_running(tmp_path, until="closed") as world:
        config = ("--config", str(world.config))
        asked, read = tmp_path / "asked.jsonl", tmp_path / "read.jsonl"
        export = ("audit", "export", str(asked), *config, "--token-file")
        assert (await run(capsys, *export, str(world.secret("narrow"))))[0] == 1
        assert not any(path.name.startswith("asked") for path in Path(tmp_path).iterdir()), "nothing half written is left"  # noqa: ASYNC240
        told = await run(capsys, *export, str(world.secret("viewer")))
        head = world.ledger.head()
    assert told == (0, f"{head.number} records; head {head.number}:{head.hash}\n", "")
    assert await run(capsys, "audit", "export", str(read), *config) == told
    assert asked.read_bytes() == read.read_bytes()
    assert (await run(capsys, "audit", "verify", "--file", str(asked), *config))[0] == 0


async def test_goals_go_through_the_daemon_by_role(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with api_deciding(tmp_path) as place:
        world = place.world
        config = ("--config", str(world.config))

        async def by(who: str, *words: str) -> tuple[int, str, str]:
            return await run(capsys, *words, *config, "--token-file", str(world.secret(who)))

        sentence = "keep recall at least 80 %"
        assert (await by("viewer", "ask", sentence))[0] == 1
        code, shown, _ = await by("operator", "ask", sentence)
        assert (code, "recall is to be at least 0.8" in shown, "propose_goal for m is on its way" in shown) == (0, True, True)
        await place.day(0)
        (goal,) = world.ledger.goals()
        assert (goal.sentence, goal.proposed_by) == (sentence, "operator")
        assert goal.digest[:12] in (await by("viewer", "goals"))[1]
        assert f"said: {sentence}" in (await by("viewer", "goals", "show", goal.digest[:8]))[1]
        assert (await by("operator", "goals", "approve", goal.digest[:12]))[0] == 1
        assert (await by("approver", "goals", "approve", goal.digest[:12]))[0] == 0
        await place.day(1)
        assert world.ledger.goals()[0].approved_by == "approver"
        assert (await by("approver", "goals", "retire", goal.digest[:12]))[0] == 0
        await place.day(2)
        assert world.ledger.goals()[0].state == "retired"
        assert (await by("approver", "goals", "retire", goal.digest))[0] == 2, "there is none any more"


async def test_the_daemon_decides_again_with_its_own_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with api_deciding(tmp_path) as place:
        place.loop.on_event(event(START))
        await place.day(0)
        before = place.world.ledger.head()
        words = ("replay-incident", "inc-", "--token-file", str(place.world.secret("viewer")), "--url", place.world.url)
        code, shown, _ = await run(capsys, *words)
        assert (code, shown.endswith("the same\n")) == (0, True)
        code, _, said = await run(capsys, *words, "--planner", "os")
        assert (code, "--planner os" in said) == (2, True)
        assert place.world.ledger.head() == before


async def test_a_url_takes_no_config(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async with api_running(tmp_path) as world:
        monkeypatch.setenv("DRIFTWAKE_TOKEN", world.tokens["viewer"])
        code, shown, _ = await run(capsys, "status", "--url", world.url, "--config", str(tmp_path / "none.yaml"))
        assert (code, "parcels" in shown) == (0, True)
        assert (await run(capsys, "rollback", "parcels", "--url", world.url))[0] == 1
    code, _, said = await run(capsys, "status", "--url", world.url)
    assert (code, "no daemon answers" in said) == (1, True)
    code, _, said = await run(capsys, "status", "--url", "http://driftwake.example")
    assert (code, "use https" in said) == (2, True)


def test_a_new_token_is_shown_once_with_its_entry(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "new", "--name", "ann", "--role", "approver", "--model", "parcels"]) == 0
    shown = capsys.readouterr().out
    assert "dw_" in shown
    assert "- name: ann\n  role: approver\n  sha256: " in shown
    assert main(["token", "new", "--name", "ann", "--role", "boss"]) == 2
    assert main(["token", "new", "--name", "policy", "--role", "viewer"]) == 2
