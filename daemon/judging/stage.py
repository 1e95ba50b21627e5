"""Judging: what to measure in which phase, and what the measurements say."""

from __future__ import annotations

from typing import Any, cast

from daemon.gates.base import Gate, Limits
from daemon.goals.in_force import InForce, argument_of
from daemon.judging.config import JudgingConfig
from daemon.judging.verdict import Verdict, read_evidence, weigh, weigh_probation
from daemon.ledger.records import Incident, Move, PlanStep, State
from daemon.places import Places
from streams.contracts.records import CHAMPION
from streams.runtime.plugins import load_kind

CHALLENGER = "challenger"
PREVIOUS = "previous"


class Judging:
    """The judge of one model's challengers.

    Args:
        places: where the skills find the lake and the registry.
        config: gates, limits and durations.
        task: the model's task; positives are asked for in `binary` only.
        goals: what people want of the model; without it nothing is asked of live outcomes.
    """

    def __init__(self, places: Places, config: JudgingConfig, task: str = "binary", *, goals: InForce | None = None) -> None:
        self._places = places
        self._config = config
        self._goals = goals
        self._limits = Limits(
            least_rows=config.least_rows,
            least_positives=config.least_positives if task == "binary" else 0,
            margin=config.margin,
            slice_tolerance=config.slice_tolerance,
            calibration_tolerance=config.calibration_tolerance,
            latency_ms_per_1000=config.latency_ms_per_1000,
        )
        self._live = Limits(
            least_rows=config.least_rows, least_positives=self._limits.least_positives, margin=config.shadow_margin
        )
        self._gates: dict[str, list[Gate]] = {
            "sealed": [cast("Gate", load_kind("daemon.gates", name)) for name in config.sealed_gates],
            "shadow": [cast("Gate", load_kind("daemon.gates", name)) for name in config.shadow_gates],
        }

    def weigh_sealed(self, results: dict[str, dict[str, Any]], submitted: str) -> Move:
        """Judge on the sealed window: the trained challenger, or the one that was submitted."""
        challenger = str(results["train"]["digest"]) if "train" in results else submitted
        verdict = weigh("sealed", read_evidence(results["compare"]), self._gates["sealed"], self._limits)
        return Move(
            to="judged", reason=verdict.reason, rule=f"sealed_{verdict.outcome}", challenger=challenger,
            details={"sealed": verdict, "sealed_outcome": verdict.outcome},
        )  # fmt: skip

    def refusal(self, incident: Incident) -> Move | None:
        """Return the refusal of a judged challenger that didn't prove everything, None when it did."""
        if incident.details.get("sealed_outcome") == "pass":
            return None
        return Move(to="refused", reason=incident.reason, rule=f"sealed_{incident.details.get('sealed_outcome', 'missing')}")

    def live_question(self, incident: Incident, now_ms: int) -> PlanStep:
        """Return the comparison on live outcomes that the incident's phase needs, with the goals that are in force now."""
        promoted = incident.state == "probation"
        slots = (PREVIOUS, CHAMPION) if promoted else (CHAMPION, CHALLENGER)
        live: dict[str, Any] = {
            "since_ms": int(incident.details["promoted_ms" if promoted else "shadow_ms"]),
            "until_ms": self._places.until_ms(now_ms),
            "champion_slot": slots[0],
            "challenger_slot": slots[1],
        }
        goals = () if self._goals is None else self._goals.compared(live["since_ms"], live["until_ms"])
        arguments = self._places.arguments(incident.champion) | argument_of(goals) | {
            "challenger": incident.challenger, "sealed": None, "live": live, "seed": self._config.seed,
        }  # fmt: skip
        checks = incident.details.get(f"{incident.state}_checks", 0)
        return PlanStep(key=f"compare_{incident.state}_{checks}", skill="compare_models", arguments=arguments)

    def weigh_shadow(self, incident: Incident, answer: dict[str, Any], now_ms: int) -> Move:
        """Judge a shadow: promote it, refuse it, or let it run on."""
        verdict = weigh("shadow", read_evidence(answer), self._gates["shadow"], self._live)
        since = int(incident.details["shadow_ms"])
        if verdict.outcome == "inconclusive" and now_ms < since + self._config.longest_shadow.ms:
            return self._wait(incident, verdict, now_ms)
        to: State = "promoting" if verdict.outcome == "pass" else "refused"
        return Move(to=to, reason=verdict.reason, rule=f"shadow_{verdict.outcome}", details={"shadow": verdict})

    def weigh_probation(self, incident: Incident, answer: dict[str, Any], now_ms: int) -> Move:
        """Judge a new champion: keep it, roll it back, or wait for more outcomes.

        Before its time is over it is asked only where alarms have told ill of it, and then only harm ends it.
        """
        since = int(incident.details["promoted_ms"])
        is_early = now_ms < since + self._config.probation.ms
        verdict = weigh_probation(read_evidence(answer), self._live, is_early=is_early)
        if is_early and verdict.outcome != "fail":
            return self._wait(incident, verdict, now_ms, least_ms=since + self._config.probation.ms - now_ms)
        if verdict.outcome == "inconclusive" and now_ms < since + self._config.longest_probation.ms:
            return self._wait(incident, verdict, now_ms)
        to: State = "rolled_back" if verdict.outcome == "fail" else "closed"
        details = {"probation": verdict}
        return Move(to=to, reason=verdict.reason, rule=f"probation_{verdict.outcome}", details=details)

    def _wait(self, incident: Incident, verdict: Verdict, now_ms: int, least_ms: int | None = None) -> Move:
        checks, wait_ms = f"{incident.state}_checks", self._config.recheck.ms
        if least_ms is not None:
            # Twice as long after the alarm each time: so many looks are few, whatever length of time the stream's outcomes take.
            since_ms = now_ms - int(incident.details.get("alarmed_ms", now_ms))
            wait_ms = min(max(since_ms, self._config.alarmed_recheck.ms), least_ms)
        return Move(
            to=incident.state, reason=verdict.reason, rule="wait_for_outcomes", waits_until_ms=now_ms + wait_ms,
            details={incident.state: verdict, checks: incident.details.get(checks, 0) + 1},
        )  # fmt: skip
