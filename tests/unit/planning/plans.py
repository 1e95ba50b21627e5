"""Plans of a made-up incident, for tests of what may be done with them."""

from __future__ import annotations

from typing import Any

import msgspec

from daemon.judging.config import JudgingConfig
from daemon.ledger.ids import IncidentId
from daemon.ledger.records import Incident, Plan, Reason
from daemon.planners.base import Proposal
from daemon.planning.compose import Basis, compose
from daemon.planning.config import PlanningConfig
from streams.contracts.features import Window
from tests.kit.control import DAY, MODEL, START, Control

WINDOW = Window(aggregate="count", source="requests", range_ms=3_600_000)
NOW = START + DAY // 3
JUDGING = JudgingConfig().model_dump(mode="json")


def incident(**changes: Any) -> Incident:
    plain = Incident(
        id=IncidentId("i"), model=MODEL, cause="performance", state="diagnosed", opened_ms=START, moved_ms=START,
        requester="driftwake", champion="c", challenger="n",
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changes)


def proposal_of(action: str, **changes: Any) -> Proposal:
    return Proposal(action=action, reasons=(Reason(text="because"),), utilities={action: 1.0, "retrain": None}, **changes)  # type: ignore[arg-type]


def plan_of(control: Control, action: str = "search_features_and_retrain", basis: Basis | None = None, /, **config: Any) -> Plan:
    """Compose the plan of an action on a basis, with settings that differ from the defaults."""
    asked = basis or Basis(NOW, incident(), "c", (WINDOW,))
    return compose(proposal_of(action), asked, control.places, PlanningConfig(**config))
