"""An incident that Claude plans, from the event to what `driftwake explain` shows."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from daemon.commands.explaining import story_of
from daemon.commands.screen import Screen
from daemon.commands.telling import tell
from daemon.ledger.ledger import open_ledger
from daemon.planners._claude.config import ClaudeConfig
from daemon.planners.base import Office
from daemon.planners.claude import ClaudePlanner
from streams.runtime.clock import SystemClock
from tests.kit.claude import SCHEMA, submitted
from tests.kit.control import DAY, MODEL, START, Control, event
from tests.kit.messages_server import MessagesServer, Says, Status, Step, call


async def told(folder: Path, script: list[Step]) -> tuple[str, str]:
    """Play an incident; return the plan's proposer and what is shown of it."""
    control = Control(folder)
    (folder / "key").write_text("sk-test")
    await control.world.publish(control.first_deployment())
    async with MessagesServer(script) as server:
        with open_ledger(folder / "ledger.sqlite") as ledger:
            config = ClaudeConfig(url=server.url, key_file=folder / "key", retries=0)
            claude = ClaudePlanner(config, Office(MODEL, ledger, SCHEMA, SystemClock()))
            loop = control.loop(ledger, thinker=claude, planner="claude")
            loop.on_event(event(START))
            for day in range(3):
                await loop.on_watermark(START + day * DAY)
            (incident,) = ledger.incidents()
            assert incident.state == "shadowing"
            story, output = story_of(ledger, incident), io.StringIO()
            tell(story, Screen(output))
            assert story.plan is not None
            assert ledger.verify() is None
            assert any("arbitration" in record.data.get("details", {}) for record in ledger.trail(incident.id))
            return story.plan.proposer, output.getvalue()


async def test_an_incident_that_claude_plans_shows_both_plans_and_the_bill(tmp_path: Path) -> None:
    proposer, shown = await told(tmp_path, [Says([call("drift_ranking", top=3)]), Says([submitted()])])
    assert proposer == "claude"
    for part in (
        "Planners", "claude was asked too; the plan is that of claude", "policy proposes search_features_and_retrain because",
        "claude proposes retrain because quality fell by 7 points", "not weighed alike", "Calls, 0.0072 dollars",
        "claude-sonnet-5-5", "tool_use", "retrain by claude for driftwake", "planner_claude",
    ):  # fmt: skip
        assert part in shown, part


async def test_an_incident_during_an_outage_shows_why_policy_planned_it(tmp_path: Path) -> None:
    proposer, shown = await told(tmp_path, [Status(529, "overloaded_error")])
    assert proposer == "policy"
    assert "claude was asked too; the plan is that of policy: overloaded" in shown
    assert "Calls, 0.0000 dollars" in shown


async def test_without_a_key_everything_goes_its_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    control = Control(tmp_path)
    await control.world.publish(control.first_deployment())
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        loop = control.loop(ledger, planner="claude")
        loop.on_event(event(START))
        await loop.on_watermark(START)
        (incident,) = ledger.incidents()
        assert incident.details["arbitration"]["reason"] == "no_key"
        assert ledger.plan(incident.plan_digest or "").proposer == "policy"
        assert ledger.calls_of(incident.id) == []
