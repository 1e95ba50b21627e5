"""What was tried for a model before, as far as it speaks against trying it again: what planners needn't think of."""

from __future__ import annotations

import math

from daemon.errors import PlanRefusedError
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Incident
from daemon.places import Places
from daemon.planners.base import TRAINS, Archived, Diagnosis, Proposal
from daemon.planning.compose import Basis, configuration_of, ranges_of, restoring
from daemon.planning.config import PlanningConfig
from daemon.planning.repeats import in_vain, too_soon

_RESTORING = Proposal(action="restore_archived", reasons=(), utilities={})


class Tried:
    """One model's experiments.

    Args:
        ledger: where they are kept.
        places: where bundles are, and up to when labels are known.
        config: how long something counts as tried, and the windows of data that plans use.
    """

    def __init__(self, ledger: Ledger, places: Places, config: PlanningConfig) -> None:
        self._ledger = ledger
        self._places = places
        self._config = config

    def trainings(self, champion: str, now_ms: int) -> tuple[str, ...]:
        """Return the trainings that were in vain lately, with the champion and the settings of now."""
        try:
            windows = self._places.manifest(champion).windows
        except PlanRefusedError:
            return ()
        tried = {action: configuration_of(action, champion, windows, self._config) for action in sorted(TRAINS)}
        return tuple(action for action, configuration in tried.items() if self._is_in_vain(configuration, now_ms))

    def others(self, incident: Incident, diagnosis: Diagnosis, champion: str, now_ms: int) -> tuple[Archived, ...]:
        """Return the earlier champions that nothing which was tried speaks against."""
        basis = Basis(now_ms, incident, champion, (), label_delay_ms(diagnosis), change=diagnosis.change)
        sealed = ranges_of(_RESTORING, basis, self._places.until_ms(now_ms), self._config).sealed
        found = []
        for one in diagnosis.archived:
            tried = self._ledger.experiments(self._places.model, restoring(champion, one.digest))
            is_in_vain = in_vain(tried, now_ms, self._config)
            if not is_in_vain and not too_soon(tried, sealed, diagnosis.change, self._config, is_same=True):
                found.append(one)
        return tuple(found)

    def _is_in_vain(self, configuration: str, now_ms: int) -> bool:
        return bool(in_vain(self._ledger.experiments(self._places.model, configuration), now_ms, self._config))


def label_delay_ms(diagnosis: Diagnosis) -> int:
    """Return how long most labels take."""
    return math.ceil(diagnosis.label_state.delay_ms_p90 or 0)
