"""A goal's way: proposed, approved by somebody else by its digest, retired; each step in the audit, and none by a shortcut."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command as alembic_command
from alembic.config import Config
from sqlalchemy import create_engine

from daemon.errors import LedgerError
from daemon.goals.objective import Objective, read, written
from daemon.ledger.engine import MIGRATIONS
from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.records import Goal
from streams.contracts.records import Command
from streams.contracts.slices import Condition
from tests.kit.control import DAY, MODEL, START, Control

WANTED = Objective(
    model=MODEL, aim="hold", metric="recall", direction="higher", floor=0.8, cohort=(Condition(column="a", low=1.0),)
)


@pytest.fixture
def control(tmp_path: Path) -> Control:
    return Control(tmp_path)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


class Desk:
    """Sends commands through the whole loop and says what came of them."""

    def __init__(self, control: Control, ledger: Ledger) -> None:
        self.control, self.loop, self.ledger, self.sent = control, control.loop(ledger), ledger, 0

    async def order(self, kind: str, by: str, **arguments: Any) -> tuple[str, str]:
        if not self.sent:
            await self.control.world.publish(self.control.first_deployment())
        self.sent += 1
        command = Command(id=f"c{self.sent}", kind=kind, model=MODEL, by=by, arguments=arguments)  # type: ignore[arg-type]
        assert self.loop.on_command(command, "approver")
        await self.loop.on_watermark(START + self.sent * DAY)
        order = next(one for one in self.ledger.commands(MODEL) if one.command.id == command.id)
        return order.state, order.reason

    async def propose(self, wanted: Objective = WANTED, by: str = "ann") -> tuple[str, str]:
        return await self.order("propose_goal", by, objective=written(wanted), digest=wanted.digest, sentence="recall >= 0.8")


@pytest.fixture
def desk(control: Control, ledger: Ledger) -> Desk:
    return Desk(control, ledger)


async def test_a_goal_goes_its_way(desk: Desk):
    assert (await desk.propose())[0] == "applied"
    (goal,) = desk.ledger.goals(MODEL)
    assert (goal.state, goal.proposed_by, goal.sentence, goal.digest) == ("proposed", "ann", "recall >= 0.8", WANTED.digest)
    assert goal.objective == written(WANTED)
    assert (await desk.order("approve_goal", "bob", digest=WANTED.digest))[0] == "applied"
    (goal,) = desk.ledger.goals(MODEL, "approved")
    assert (goal.approved_by, goal.approved_ms, goal.proposed_ms) == ("bob", START + 2 * DAY, START + DAY)
    assert (await desk.order("retire_goal", "cyd", digest=WANTED.digest))[0] == "applied"
    (goal,) = desk.ledger.goals(MODEL, "retired")
    assert (goal.approved_by, goal.retired_by, goal.retired_ms) == ("bob", "cyd", START + 3 * DAY)
    assert desk.ledger.goals(MODEL, "approved") == desk.ledger.goals("another") == []
    told = [(one.kind, one.actor, one.data["by"], one.data["digest"]) for one in desk.ledger.trail(goal.id)]
    assert told == [
        ("goal.proposed", "person:ann", "ann", WANTED.digest), ("goal.approved", "person:bob", "bob", WANTED.digest),
        ("goal.retired", "person:cyd", "cyd", WANTED.digest),
    ]  # fmt: skip
    assert desk.ledger.trail(goal.id)[0].data["objective"] == written(WANTED)
    assert desk.ledger.verify() is None


async def test_who_asked_cannot_approve(desk: Desk):
    await desk.propose()
    assert await desk.order("approve_goal", "ann", digest=WANTED.digest) == ("rejected", "who asked for a goal can't approve it")
    assert desk.ledger.goals(MODEL, "approved") == []


@pytest.mark.parametrize("digest", ["", "f" * 64, WANTED.digest[:12], None, 7, [WANTED.digest]])
async def test_only_the_whole_digest_approves(desk: Desk, digest: object):
    await desk.propose()
    for kind in ("approve_goal", "retire_goal"):
        assert (await desk.order(kind, "bob", digest=digest))[0] == "rejected"
    assert [goal.state for goal in desk.ledger.goals(MODEL)] == ["proposed"]


async def test_a_goal_is_proposed_once_until_it_is_retired(desk: Desk):
    await desk.propose()
    assert "proposed already" in (await desk.propose(by="bob"))[1]
    await desk.order("approve_goal", "bob", digest=WANTED.digest)
    assert "approved already" in (await desk.propose(by="bob"))[1]
    assert (await desk.order("approve_goal", "cyd", digest=WANTED.digest))[0] == "rejected"
    await desk.order("retire_goal", "bob", digest=WANTED.digest)
    assert (await desk.order("retire_goal", "bob", digest=WANTED.digest))[0] == "rejected"
    assert (await desk.order("approve_goal", "cyd", digest=WANTED.digest))[0] == "rejected"
    assert (await desk.propose(by="bob"))[0] == "applied"
    assert [goal.state for goal in desk.ledger.goals(MODEL)] == ["retired", "proposed"]


async def test_a_digest_that_is_not_the_objective_s_is_refused(desk: Desk):
    other = Objective(model=MODEL, aim="improve", metric="recall", direction="higher")
    arguments = {"objective": written(WANTED), "digest": other.digest}
    assert await desk.order("propose_goal", "ann", **arguments) == ("rejected", "the digest isn't that of the objective")


@pytest.mark.parametrize(
    "objective",
    [
        None, "recall", [], {}, {"model": MODEL}, {"model": "other", "aim": "improve", "metric": "recall", "direction": "higher"},
        {"model": MODEL, "aim": "hold", "metric": "recall", "direction": "higher", "floor": 7},
        {"model": MODEL, "aim": "improve", "metric": "recall", "direction": "higher", "cohort": {"b": ["x"]}},
        {"model": MODEL, "aim": "improve", "metric": "recall", "direction": "higher", "cohort": {"a": {"from": {}}}},
        {"model": MODEL, "aim": "improve", "metric": "recall", "direction": "higher", "extra": "\x1b[2J"},
    ],
)  # fmt: skip
async def test_what_comes_from_the_topic_is_hostile(desk: Desk, objective: object):
    state, reason = await desk.order("propose_goal", "ann", objective=objective, digest="x", sentence=3)
    assert state == "rejected"
    assert reason
    assert desk.ledger.goals(MODEL) == []


async def test_a_sentence_is_kept_short_and_clean(desk: Desk):
    await desk.order("propose_goal", "ann", objective=written(WANTED), digest=WANTED.digest, sentence="\x1b[2J" + "a" * 9_000)
    (goal,) = desk.ledger.goals(MODEL)
    assert len(goal.sentence) == 500
    assert "\x1b" not in goal.sentence


async def test_a_goal_that_is_over_by_now_is_not_approved(desk: Desk):
    day = "2011-01-28"  # two days after START
    wanted = {**written(WANTED), "horizon": {"first": "2011-01-26", "last": day}}
    objective = read(wanted)
    assert (await desk.propose(objective))[0] == "applied"
    for _ in range(5):
        await desk.order("freeze", "ann")
    state, reason = await desk.order("approve_goal", "bob", digest=objective.digest)
    assert (state, reason) == ("rejected", f"horizon: {day} is over")


def test_a_stale_step_changes_nothing(ledger: Ledger):
    goal = _proposed(ledger)
    other = Command(id="c2", kind="approve_goal", model=MODEL, by="bob")
    ledger.take_command(other, 2)
    ledger.approve_goal(other, goal, 2)
    head = ledger.head()
    with pytest.raises(LedgerError, match="nobody can approve"):
        ledger.approve_goal(other, goal, 3)
    assert ledger.head() == head


def test_an_altered_objective_is_noticed(ledger: Ledger, tmp_path: Path):
    _proposed(ledger)
    with sqlite3.connect(tmp_path / "ledger.sqlite") as raw:
        raw.execute("UPDATE goal SET objective = replace(objective, '0.8', '0.1')")
    raw.close()
    with pytest.raises(LedgerError, match="altered"):
        ledger.goals()


def test_a_ledger_of_before_there_were_goals_is_brought_up_to_date(tmp_path: Path):
    file = tmp_path / "old.sqlite"
    engine = create_engine(f"sqlite:///{file}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic_command.upgrade(config, "0001")
    engine.dispose()
    with pytest.raises(LedgerError, match="start the daemon once"), open_ledger(file, read_only=True):
        pass
    with open_ledger(file) as ledger:
        assert ledger.goals() == []
        assert _proposed(ledger).state == "proposed"


def _proposed(ledger: Ledger) -> Goal:
    command = Command(id="c1", kind="propose_goal", model=MODEL, by="ann")
    ledger.take_command(command, 1)
    return ledger.propose_goal(command, written(WANTED), "recall >= 0.8", 1)
