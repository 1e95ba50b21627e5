"""From a proposal to a plan of this model: with its champion's windows, and the device that a training should run on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from daemon.errors import PlanRefusedError
from daemon.goals.in_force import InForce
from daemon.ledger.records import Plan
from daemon.places import Places
from daemon.planners.base import FORCED, TRAINS, Proposal
from daemon.planning.compose import Basis, compose, ranges_of
from daemon.planning.config import PlanningConfig
from daemon.planning.device import Load, Machine, Placement, choose
from daemon.planning.present import Case, diagnosis_of
from daemon.planning.tried import label_delay_ms
from streams.contracts.bundle import Manifest


class Drafts:
    """Makes one model's plans; whether they may run is said elsewhere.

    Args:
        places: where the skills find the lake and the registry.
        config: the windows of data that a plan uses.
        least: how many rows the judge needs, and how many of them of the rarer class.
        goals: what people want of the model.
        read_machine: reports what a training could have; without it nothing is said of where one should run.
    """

    def __init__(
        self,
        places: Places,
        config: PlanningConfig,
        least: tuple[int, int],
        goals: InForce,
        read_machine: Callable[[], Machine] | None = None,
    ) -> None:
        self._places = places
        self._config = config
        self._least = least
        self._goals = goals
        self._read_machine = read_machine
        self._machine: Machine | None = None

    async def look(self) -> None:
        """Look at the machine; plans go by what it had then."""
        if self._read_machine is not None:
            self._machine = await asyncio.to_thread(self._read_machine)

    def plan(self, proposal: Proposal, case: Case, proposer: str) -> Plan:
        """Make the plan of a proposal.

        Raises:
            PlanRefusedError: there can't be one.
        """
        incident, champion, now_ms = case
        if proposal.action == FORCED and not incident.details.get("forced"):
            raise PlanRefusedError("only a person may have a bundle serve that wasn't judged")
        diagnosis, restored = diagnosis_of(incident), restored_by(proposal)
        if restored not in {None, *(one.digest for one in diagnosis.archived)}:
            raise PlanRefusedError("only a bundle that the diagnosis has found in the archive can be restored")
        manifest, challenger = self._places.manifest(champion), incident.challenger or restored
        if challenger and not self._places.manifest(challenger).schema.reads_like(manifest.schema):
            raise PlanRefusedError("the challenger has another schema than the champion")
        basis = Basis(
            now_ms,
            incident,
            champion,
            manifest.windows,
            label_delay_ms(diagnosis),
            proposer,
            diagnosis.change,
            device=self._device(manifest) if proposal.action in TRAINS else None,
            is_news=diagnosis.news is not None,
            least=self._least,
        )
        sealed = ranges_of(proposal, basis, self._places.until_ms(now_ms), self._config).sealed
        return compose(proposal, basis._replace(goals=self._goals.compared(*sealed)), self._places, self._config)

    def _device(self, manifest: Manifest) -> Placement | None:
        """Choose where to train, from what the champion's own training was; None where nobody knows that, or the machine."""
        rows, rounds = (manifest.lineage.get(name) for name in ("fitted_rows", "rounds"))
        if self._machine is None or type(rows) is not int or type(rounds) is not int:
            return None
        columns = len(manifest.schema.features) + len(manifest.windows) + len(manifest.expressions)
        return choose(Load(rows, columns, rounds), self._machine)


def restored_by(proposal: Proposal) -> str | None:
    """Return the digest of the bundle that a proposal brings back, None where it is about another action."""
    return proposal.challenger if proposal.action == "restore_archived" else None
