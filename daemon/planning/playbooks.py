"""One model's playbooks: proposed where plans went well, approved and retired by people, and asked whether they cover a plan.

A playbook takes the place of the approval that autonomy `propose` wants, and of nothing else: guardrails, the site's rules,
freezes, budgets and the judge have their say as ever. What breaks one suspends it in the ledger, with the move that ends the
incident.
"""

from __future__ import annotations

import msgspec

from daemon.errors import PlaybookRefusedError
from daemon.ledger.actors import DAEMON
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Incident, Playbook, Recipe
from daemon.planners.base import Cause
from daemon.planning.arbiter import POLICY
from daemon.planning.config import PlanningConfig
from daemon.planning.recipes import deed_of, in_a_row
from streams.contracts.records import Command
from streams.runtime.logging import Log
from streams.runtime.text import cleaned

log = Log("daemon.planning.playbooks")

_LONGEST_REASON = 500


class Playbooks:
    """What plans have earned, and people have approved.

    Args:
        ledger: where playbooks and the incidents that speak for them are kept.
        model: whose.
        config: how many successes make one, how probable its cause must be, and how long an approval counts.
    """

    def __init__(self, ledger: Ledger, model: str, config: PlanningConfig) -> None:
        self._ledger = ledger
        self._model = model
        self._config = config
        self._ended: int | None = None

    def follow(self, now_ms: int) -> None:
        """Propose what was earned since the last call; what is proposed or approved already stays what it is."""
        ended = self._ledger.ended(self._model)
        if ended == self._ended:
            return
        deeds = [deed for one in self._ledger.incidents(self._model) if (deed := deed_of(one)) is not None]
        known = {one.digest: one for one in self._ledger.playbooks(self._model)}
        for digest, recipe in {deed.recipe.digest: deed.recipe for deed in deeds}.items():
            before = known.get(digest)
            if before is not None and before.state in {"proposed", "approved"}:
                continue
            # Who retired one has seen what spoke for it: only what came later speaks for it again.
            after_ms = before.changed_ms if before is not None and before.state == "retired" else None
            row = in_a_row(recipe, deeds, after_ms)
            if len(row) >= self._config.playbook_successes:
                self._ledger.propose_playbook(recipe, row, f"went well {len(row)} times in a row", now_ms)
                log.info("PlaybookProposed", model=self._model, action=recipe.action, cause=recipe.cause, digest=digest)
        self._ended = ended

    def covering(self, incident: Incident, likely: Cause | None) -> Playbook | None:
        """Return the playbook that lets an incident's plan run without being asked for, None where there is none.

        Args:
            incident: holds the recipe of its plan.
            likely: the likeliest cause.
        """
        given = incident.details.get("recipe")
        if given is None or likely is None or likely.probability < self._config.playbook_probability:
            return None
        found = self._find(msgspec.convert(given, Recipe).digest)
        return found if found is not None and found.is_in_force(self._ledger.wall_ms()) else None

    def apply(self, command: Command, now_ms: int) -> None:
        """Approve or retire a playbook, as a command says.

        Raises:
            PlaybookRefusedError: it can't be done; the message says why.
        """
        playbook = self._find(command.arguments.get("digest"))
        if playbook is None:
            raise PlaybookRefusedError("there is no playbook of that digest")
        if command.kind == "approve_playbook":
            self._approve(command, playbook, now_ms)
        else:
            self._retire(command, playbook, now_ms)

    def _approve(self, command: Command, playbook: Playbook, now_ms: int) -> None:
        if not command.by.strip() or command.by in {DAEMON, POLICY, self._config.planner}:
            raise PlaybookRefusedError("a playbook is approved by a person, not by who proposed it")
        made_of = [one for one in self._ledger.incidents(self._model) if one.id in playbook.supported_by]
        if command.by in {one.requester for one in made_of}:
            raise PlaybookRefusedError("who asked for a plan can't approve the playbook made of it")
        wall_ms = self._ledger.wall_ms()
        if playbook.state in {"suspended", "retired"} or playbook.is_in_force(wall_ms):
            raise PlaybookRefusedError(f"the playbook is {playbook.state}, and waits for nobody: {playbook.reason}")
        self._ledger.approve_playbook(command, playbook, wall_ms + self._config.playbook_expiry.ms, now_ms)

    def _retire(self, command: Command, playbook: Playbook, now_ms: int) -> None:
        reason = command.arguments.get("reason")
        if not isinstance(reason, str) or not reason.strip():
            raise PlaybookRefusedError("who retires a playbook must say why")
        if playbook.state == "retired":
            raise PlaybookRefusedError("the playbook is retired already")
        self._ledger.retire_playbook(command, playbook, cleaned(reason.strip(), _LONGEST_REASON), now_ms)

    def _find(self, digest: object) -> Playbook | None:
        # Compared here: what a command calls a digest may be anything, and not every database takes that.
        return next((one for one in self._ledger.playbooks(self._model) if one.digest == digest), None)
