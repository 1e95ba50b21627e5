"""Playbooks through the whole loop: earned, approved, run without being asked for, and suspended by what breaks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from daemon.access.roles import Role
from daemon.claims import claims_of
from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.records import Incident, Playbook
from daemon.loop import Loop
from daemon.planning.rules import SiteRule
from streams.contracts.records import Command
from tests.kit.control import DAY, MODEL, START, Control, bundle, comparison, event, manifest_of
from tests.unit.loop.test_loop_asks import rules_of

BRISK: dict[str, Any] = {
    "autonomy": "propose", "promotions_per_30d": 9, "repeat_after": "1d", "judging": {"shadow": "1d", "probation": "1d"},
}  # fmt: skip
# From an incident's event to the next that isn't silenced by it.
APART = 12


class Site(NamedTuple):
    """A control plane whose incidents follow each other, and the loop that drives them; another loop has other settings."""

    control: Control
    ledger: Ledger
    loop: Loop

    def rewrite(self, **answers: Any) -> None:
        """Have the skills answer otherwise from now on."""
        file = self.control.lake / "script.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | answers))

    def with_settings(self, **settings: Any) -> Site:
        return self._replace(loop=self.control.loop(self.ledger, **BRISK | settings))

    async def until(self, first: int, last: int) -> None:
        for day in range(first, last + 1):
            await self.loop.on_watermark(START + day * DAY)

    async def order(self, kind: str, day: int, by: str = "ann", role: Role = "admin", **arguments: Any) -> tuple[str, str]:
        """Give a command, and return what came of it."""
        name = f"c{len(self.ledger.commands(MODEL))}"
        command = Command(id=name, kind=kind, model=MODEL, by=by, arguments=arguments)  # type: ignore[arg-type]
        assert self.loop.on_command(command, role)
        await self.until(day, day)
        (found,) = (one for one in self.ledger.commands(MODEL) if one.command.id == name)
        return found.state, found.reason

    async def incident(self, number: int) -> Incident:
        """Open the incident of a number, whose training makes a bundle of its own."""
        digest = bundle(self.control.lake / "staged", f"challenger {number}")
        self.rewrite(train_xgboost={"digest": digest, "metrics": {}, "rows": 9, "seconds": 1.0})
        self.loop.on_event(event(START + number * APART * DAY, name=f"e{number}"))
        await self.until(number * APART, number * APART)
        return self.ledger.incidents()[-1]

    async def through(self, number: int) -> Incident:
        """Take the incident of a number to its end; its plan is approved where it waits for that."""
        incident, day = await self.incident(number), number * APART
        if incident.state == "awaiting_approval":
            assert (await self.order("approve", day + 1, plan_digest=incident.plan_digest))[0] == "applied"
        await self.until(day + 1, day + 4)
        return self.ledger.incident(incident.id)

    @property
    def playbook(self) -> Playbook:
        (found,) = self.ledger.playbooks(MODEL)
        return found

    def rules(self, incident: Incident) -> list[str]:
        return rules_of(self.ledger, incident)


@asynccontextmanager
async def site(folder: Path, **settings: Any) -> AsyncIterator[Site]:
    control = Control(folder)
    await control.world.publish(control.first_deployment())
    with open_ledger(folder / "ledger.sqlite") as ledger:
        yield Site(control, ledger, control.loop(ledger, **BRISK | settings))
        assert ledger.verify() is None


@asynccontextmanager
async def trusted(folder: Path, **settings: Any) -> AsyncIterator[Site]:
    """A site whose first incident has made an approved playbook."""
    async with site(folder, playbook_successes=1, **settings) as made:
        assert (await made.through(0)).state == "closed"
        assert await made.order("approve_playbook", 5, digest=made.playbook.digest) == (
            "applied", f"approved playbook {made.playbook.digest}",
        )  # fmt: skip
        yield made.with_settings(playbook_successes=1, **settings)


async def test_three_successes_make_a_playbook_that_runs_until_something_breaks(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        done = [await made.through(number) for number in range(2)]
        assert made.ledger.playbooks() == [], "two are too few"
        done.append(await made.through(2))
        assert [one.state for one in done] == ["closed"] * 3
        assert all(made.rules(one)[2:4] == ["autonomy_propose", "approval"] for one in done)
        playbook = made.playbook
        assert (playbook.state, playbook.supported_by) == ("proposed", tuple(one.id for one in done))
        assert (playbook.recipe.cause, playbook.recipe.action) == ("concept_change", "search_features_and_retrain")

        assert (await made.order("approve_playbook", 30, digest=playbook.digest))[0] == "applied"
        made.rewrite(live_champion=comparison(-0.05))
        fourth = await made.incident(3)
        assert (fourth.state, made.rules(fourth)[2]) == ("shadowing", f"playbook: {playbook.digest[:12]}"), "nobody was asked"
        assert fourth.details["playbook"] == playbook.digest
        assert made.ledger.approvals(str(fourth.plan_digest)) == []
        await made.until(37, 40)
        assert made.ledger.incident(fourth.id).state == "rolled_back"
        assert (made.playbook.state, made.playbook.reason) == ("suspended", f"{fourth.id} ended as rolled_back")

        made.rewrite(live_champion=comparison(0.05))
        fifth = await made.incident(4)
        assert fifth.details["action"] == "search_features_and_retrain"
        assert (fifth.state, made.rules(fifth)[-1]) == ("awaiting_approval", "autonomy_propose")
        state, reason = await made.order("approve_playbook", 49, digest=playbook.digest)
        assert (state, "suspended" in reason) == ("rejected", True), "it must be earned again"
        kinds = [(record.kind, record.actor) for record in made.ledger.trail(playbook.digest)]
        assert kinds == [
            ("playbook.proposed", "driftwake"), ("playbook.approved", "person:ann"), ("playbook.suspended", "driftwake"),
        ]  # fmt: skip
        helps = claims_of(MODEL, made.ledger.lessons(MODEL), START + 49 * DAY, 90 * DAY)[-1]
        assert (helps.says, helps.demoted_by, len(helps.supported_by)) == ("helps", (fourth.id,), 3)


async def test_what_was_suspended_is_earned_and_approved_again(tmp_path: Path) -> None:
    async with trusted(tmp_path) as made:
        made.rewrite(compare_models=comparison(-0.05))
        assert (await made.through(1)).state == "refused"
        assert made.playbook.state == "suspended"
        made.rewrite(compare_models=comparison(0.05))
        third = await made.through(2)
        assert (third.state, made.rules(third)[3]) == ("closed", "approval")
        assert (made.playbook.state, made.playbook.supported_by) == ("proposed", (third.id,)), "what was before it broke is gone"
        assert made.rules(await made.through(3))[3] == "approval", "and nobody has approved it yet"


async def test_what_was_approved_under_one_judge_isn_t_used_under_another(tmp_path: Path) -> None:
    async with trusted(tmp_path) as made:
        lenient = made.with_settings(playbook_successes=1, judging={**BRISK["judging"], "margin": -0.2})
        assert lenient.rules(await lenient.through(1))[2:4] == ["autonomy_propose", "approval"]
        assert made.rules(await made.through(2))[2].startswith("playbook: "), "under its own it is"


async def test_a_person_s_rollback_suspends_too(tmp_path: Path) -> None:
    async with trusted(tmp_path) as made:
        incident = await made.incident(1)
        await made.until(13, 14)
        assert made.ledger.incident(incident.id).state == "probation"
        assert (await made.order("rollback", 14))[0] == "applied"
        assert made.ledger.incident(incident.id).state == "rolled_back"
        assert made.playbook.state == "suspended"
        *_, said = made.ledger.trail(made.playbook.digest)
        assert (said.kind, said.actor, said.incident) == ("playbook.suspended", "driftwake", incident.id)


async def test_what_was_earned_before_a_restart_is_proposed_after_it_once(tmp_path: Path) -> None:
    async with site(tmp_path, playbook_successes=2) as made:
        await made.through(0)
        assert made.ledger.playbooks() == []
        lenient = made.with_settings(playbook_successes=1)
        await lenient.until(6, 6)
        assert made.playbook.state == "proposed"
        await lenient.until(6, 7)
        await made.with_settings(playbook_successes=1).until(8, 8)
        assert [record.kind for record in made.ledger.trail(made.playbook.digest)] == ["playbook.proposed"]


NOT_COVERED: dict[str, dict[str, Any]] = {
    "other settings": {"parameters": {"max_depth": 3}},
    "another range of rows": {"train": "60d"},
    "a probability that is too small": {"playbook_probability": 0.9},
}


@pytest.mark.parametrize("name", NOT_COVERED)
async def test_what_the_playbook_isn_t_about_is_asked_for(tmp_path: Path, name: str) -> None:
    async with trusted(tmp_path) as made:
        incident = await made.with_settings(**NOT_COVERED[name]).incident(1)
        assert (incident.state, made.rules(incident)[-1]) == ("awaiting_approval", "autonomy_propose")


async def test_another_likeliest_cause_is_asked_about(tmp_path: Path) -> None:
    async with trusted(tmp_path) as made:
        script = json.loads((made.control.lake / "script.json").read_text())["diagnose_drift"]
        made.rewrite(diagnose_drift=script | {"causes": [{"cause": "harmful_shift", "probability": 0.95}]})
        incident = await made.incident(1)
        assert incident.details["action"] == "search_features_and_retrain"
        assert incident.state == "awaiting_approval"


RULE = SiteRule(id="ask-first", effect="need_approval", causes=("concept_change",))
DENY = SiteRule(id="never", effect="deny", causes=("concept_change",))


@pytest.mark.parametrize(
    ("settings", "ends"),
    [
        ({"rules": (RULE,)}, ("awaiting_approval", "site_rule: ask-first")),
        ({"rules": (DENY,)}, ("refused", "site_rule: never")),
        ({"autonomy": "observe"}, ("no_action", "autonomy_observe")),
        ({"training_minutes_per_30d": 59}, ("refused", "training_budget")),
    ],
)
async def test_a_playbook_takes_the_place_of_an_approval_and_of_nothing_else(
    tmp_path: Path, settings: dict[str, Any], ends: tuple[str, str]
) -> None:
    async with trusted(tmp_path) as made:
        incident = await made.with_settings(**settings).incident(1)
        assert (incident.state, made.rules(incident)[-1]) == ends


async def test_a_freeze_holds_what_a_playbook_let_run(tmp_path: Path) -> None:
    async with trusted(tmp_path) as made:
        incident = await made.incident(1)
        assert incident.state == "shadowing"
        await made.order("freeze", 13)
        await made.until(14, 16)
        assert made.ledger.incident(incident.id).state == "promoting"
        assert made.control.world.history[-1].champion == manifest_of("challenger 0").digest
        await made.order("unfreeze", 17)
        await made.until(18, 20)
        assert made.ledger.incident(incident.id).state == "closed"


async def test_where_the_autonomy_is_act_no_playbook_is_needed(tmp_path: Path) -> None:
    async with trusted(tmp_path) as made:
        incident = await made.with_settings(autonomy="act").incident(1)
        assert made.rules(incident)[2] == "autonomy_act"
        assert "playbook" not in incident.details


async def test_an_approval_that_has_expired_lets_nothing_run_and_can_be_given_again(tmp_path: Path) -> None:
    async with site(tmp_path, playbook_successes=1, playbook_expiry="1ms") as made:
        await made.through(0)
        digest = made.playbook.digest
        assert (await made.order("approve_playbook", 5, digest=digest))[0] == "applied"
        while made.playbook.is_in_force(made.ledger.wall_ms()):
            pass
        incident = await made.incident(1)
        assert incident.state == "awaiting_approval"
        lasting = made.with_settings(playbook_successes=1)
        assert (await lasting.order("approve_playbook", 13, by="bob", digest=digest))[0] == "applied"
        assert made.playbook.approved_by == "bob"
        state, reason = await lasting.order("approve_playbook", 13, by="cyd", digest=digest)
        assert (state, reason) == ("rejected", "the playbook is approved, and waits for nobody: approved by bob")


@pytest.mark.parametrize("by", ["driftwake", "policy", "", " "])
async def test_only_a_person_approves(tmp_path: Path, by: str) -> None:
    async with site(tmp_path, playbook_successes=1) as made:
        await made.through(0)
        found = await made.order("approve_playbook", 5, by=by, digest=made.playbook.digest)
        assert found == ("rejected", "a playbook is approved by a person, not by who proposed it")
        assert made.playbook.state == "proposed"


@pytest.mark.parametrize("digest", [None, "", "f" * 64, "prefix", 7, ["f"], {"a": "\x1b[2J"}, "\0", "'; DROP TABLE playbook"])
async def test_what_names_no_playbook_is_rejected(tmp_path: Path, digest: Any) -> None:
    async with site(tmp_path, playbook_successes=1) as made:
        await made.through(0)
        wanted = made.playbook.digest[:12] if digest == "prefix" else digest
        for kind in ("approve_playbook", "retire_playbook"):
            assert await made.order(kind, 5, digest=wanted, reason="r") == ("rejected", "there is no playbook of that digest")
        assert (await made.order("approve_playbook", 5))[0] == "rejected"
        assert made.playbook.state == "proposed"


async def test_a_playbook_is_retired_with_a_reason_and_earned_again_by_what_comes_later(tmp_path: Path) -> None:
    async with trusted(tmp_path) as made:
        digest = made.playbook.digest
        for reason in (None, "", " ", 7, ["x"]):
            found = await made.order("retire_playbook", 6, digest=digest, reason=reason)
            assert found == ("rejected", "who retires a playbook must say why")
        said = await made.order("retire_playbook", 6, by="bob", digest=digest, reason=" \x1b[2Jwe do it otherwise" + "x" * 900)
        assert said[0] == "applied"
        assert made.playbook.state == "retired"
        assert made.playbook.reason.startswith("retired by bob:  [2Jwe do it otherwise")
        assert len(made.playbook.reason) < 600
        assert (await made.order("retire_playbook", 7, digest=digest, reason="r"))[1] == "the playbook is retired already"
        assert (await made.order("approve_playbook", 7, digest=digest))[0] == "rejected"
        second = await made.through(1)
        assert made.rules(second)[3] == "approval"
        assert (made.playbook.state, made.playbook.supported_by) == ("proposed", (second.id,))


async def test_what_a_person_hands_in_never_becomes_a_playbook(tmp_path: Path) -> None:
    async with site(tmp_path, playbook_successes=1, autonomy="act") as made:
        submitted = bundle(made.control.places.registry / MODEL, "submitted")
        await made.order("challenge", 0, digest=submitted)
        await made.until(1, 4)
        forced = bundle(made.control.places.registry / MODEL, "forced")
        await made.order("challenge", 5, digest=forced, force="the fix of the outage")
        await made.until(6, 8)
        assert [(one.state, one.details["action"]) for one in made.ledger.incidents()] == [
            ("closed", "judge_submitted"), ("closed", "promote_submitted"),
        ]  # fmt: skip
        assert made.ledger.playbooks() == []
