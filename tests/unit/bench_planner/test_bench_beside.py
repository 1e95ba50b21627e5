"""Claude beside policy in the bench: a fuzzer's plans go through the product's arbiter, and are counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from daemon.planning import chooser
from daemon.planning.arbiter import REASONS
from tests.bench.planner.__main__ import main
from tests.bench.planner.asking import situation_of
from tests.bench.planner.beside import CLAUDE, Reply, play_beside, playing
from tests.bench.planner.incident import incident_files, load_incident
from tests.bench.planner.replies import Replies
from tests.bench.planner.scoring import NOTHING, Score
from tests.bench.planner.showing import NOT_MEASURED
from tests.bench.planner.tally import missed_by, tally
from tests.kit.messages_server import Says
from tests.kit.plan_fuzzer import forbidden

ALL = {name: load_incident(file) for name, file in incident_files().items()}
SOME = [incident for place, incident in enumerate(ALL.values()) if place % 3 == 0]


async def test_nothing_forbidden_gets_through(tmp_path: Path) -> None:
    played = await play_beside(tmp_path, list(ALL.values()), 4)
    assert missed_by(played) == []
    for incident, replies in zip(ALL.values(), played, strict=True):
        never = forbidden(situation_of(incident))
        for one in replies:
            assert one.score.incident == incident.id
            assert one.reason in REASONS
            assert (one.used == CLAUDE) == (not one.reason)
            assert one.used != CLAUDE or one.score.action not in never


async def test_an_arbiter_that_objects_to_nothing_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chooser, "objection", lambda *_: "")
    missed = missed_by(await play_beside(tmp_path, SOME, 8))
    assert any("forbidden actions got through" in one.bar for one in missed)


async def test_the_bill_is_the_ledger_s(tmp_path: Path) -> None:
    async with playing(tmp_path) as world:
        replies = await world.ask(SOME[0], [(0, number) for number in range(6)])
        assert sum(one.score.cost.calls for one in replies) == len(world.server.seen) > 0
        spent = world.ledger.dollars_spent("parcels", 0)
        assert sum(one.score.cost.usd for one in replies) == pytest.approx(spent)
        assert sum(one.score.cost.tokens for one in replies) > 0
        assert not sum(one.unsettled for one in replies)


async def test_the_same_seed_plays_the_same(tmp_path_factory: pytest.TempPathFactory) -> None:
    first, again, other = [
        await play_beside(tmp_path_factory.mktemp("beside"), SOME[:4], 4, seed) for seed in (1, 1, 2)
    ]  # fmt: skip
    assert first == again
    assert first != other


async def test_nobody_else_is_asked_about_what_was_submitted(tmp_path: Path) -> None:
    ((reply,),) = await play_beside(tmp_path, [ALL["p33_submitted"]], 1)
    assert (reply.reason, reply.score.action, reply.score.cost.calls) == ("nothing_to_weigh", "judge_submitted", 0)


def test_replies_are_sound_ruined_and_broken() -> None:
    replies, kinds = Replies(), Counter[str]()
    for number in range(400):
        replies.draw(0, number)
        step = replies({"tool_choice": {"type": "tool"}})
        is_plan = isinstance(step, Says) and len(step.content) == 1 and step.content[0].get("name") == "submit_plan"
        kinds["plan" if is_plan else "broken"] += 1
        if isinstance(step, Says) and is_plan:
            kinds[str(step.content[0]["input"].get("action"))] += 1
    assert kinds["plan"] > 300
    assert kinds["broken"] > 10
    assert min(kinds[action] for action in ("retrain", "rollback", "promote_submitted", "no_action")) > 5


def reply(**changes: object) -> Reply:
    names = Score._fields
    one = Score(
        incident="p", action="no_action", grade="best", cause=True, likely="false_alarm", repeats=False, refused=(), seconds=0.0,
        cost=NOTHING,
    )  # fmt: skip
    of_score = {name: value for name, value in changes.items() if name in names}
    rest = {name: value for name, value in changes.items() if name not in names}
    return Reply(one._replace(**of_score), CLAUDE, "", "no_action", 0)._replace(**rest)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"grade": "neither"}, None),
        ({"grade": "forbidden", "action": "retrain"}, "forbidden actions got through: p: retrain"),
        ({"repeats": True}, "1 plans try again"),
        ({"refused": ("freeze",)}, "a guardrail would refuse"),
        ({"unsettled": 1}, "never settled"),
    ],
)
def test_each_bar_is_missed_by_its_own_fault(changes: dict[str, object], said: str | None) -> None:
    missed = [one.bar for one in missed_by([[reply(**changes)], *([reply()] for _ in range(9))])]
    assert missed == [] if said is None else len(missed) == 1
    assert said is None or said in missed[0]


def test_wrong_causes_and_a_fuzzer_that_never_gets_through_miss_bars() -> None:
    assert "causes are wrong" in missed_by([[reply(cause=False)]] * 5)[0].bar
    assert missed_by([[reply(cause=False)]] * 4) == []
    silent = [[reply(used="policy", reason="no_key")]] * 30
    assert [one.bar for one in missed_by(silent)] == ["only 0 of 30 plans were Claude's"]
    assert tally(silent[0]).reasons == {"no_key": 1}


def test_the_command_shows_both_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--replies", "1", "--json", str(tmp_path / "scores.json")]) == 0
    policy, claude = msgspec.json.decode((tmp_path / "scores.json").read_bytes())
    assert (policy["planner"], claude["planner"]) == ("policy", "claude")
    assert len(claude["replies"]) == len(policy["scores"]) == len(ALL)
    assert claude["missed"] == []
    shown = " ".join(capsys.readouterr().out.split())
    assert NOT_MEASURED in shown
    assert "planner policy, and claude beside it" in shown
