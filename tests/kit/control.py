"""A whole control plane in a folder: real ledger, real loop, tiny skills as real child processes, a data plane in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from daemon.deploying.config import DeployingConfig
from daemon.deploying.swap import Deploying
from daemon.executing.config import ExecutingConfig
from daemon.executing.stage import Executing, Run
from daemon.goals.in_force import InForce
from daemon.goals.keeping import Keeping
from daemon.goals.vocabulary import Vocabulary
from daemon.judging.config import JudgingConfig
from daemon.judging.stage import Judging
from daemon.ledger.ledger import Ledger
from daemon.loop import Loop, Stages
from daemon.orders import Orders
from daemon.places import Places
from daemon.planners.base import Planner
from daemon.planning.asks import Asks
from daemon.planning.config import PlanningConfig
from daemon.planning.stage import Planning
from daemon.registry.announce import Announcer, Listener
from daemon.registry.follow import Follow
from daemon.registry.mlflow_door import NoRegistry, Registry
from daemon.standing import Standing
from daemon.triaging.config import TriagingConfig
from daemon.triaging.stage import Triaging
from skills._kit.ranges import Lengths
from streams.contracts.bundle import MANIFEST_FILE, Golden, Manifest, encode_manifest
from streams.contracts.events import DriftEvent, Evidence
from streams.contracts.records import CHAMPION, Deployment, Slot
from streams.contracts.schema import Column, ModelSchema
from streams.runtime.clock import EventClock
from tests.kit.world import FileWorld

MODEL = "m"
DAY = 86_400_000
START = 15_000 * DAY
SKILLS = frozenset({"diagnose_drift", "build_dataset", "propose_windows", "train_xgboost", "compare_models"})
WINDOW = {"type": "window", "aggregate": "count", "source": "requests", "by": ["a"], "range_ms": 3_600_000}
_SCHEMA = ModelSchema(columns=(Column(name="a", kind="number"),))


def manifest_of(name: str) -> Manifest:
    """The manifest of a bundle that holds nothing else."""
    return Manifest(
        model=MODEL, schema=_SCHEMA, golden=Golden(columns=[], windows=[], time_ms=[], scores=[]), lineage={"name": name}
    )


def bundle(store: Path, name: str) -> str:
    """Put a bundle that holds nothing but a manifest into a store; return its digest."""
    manifest = manifest_of(name)
    folder = store / manifest.digest
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST_FILE).write_bytes(encode_manifest(manifest))
    return manifest.digest


def comparison(difference: float, rows: int = 5_000) -> dict[str, Any]:
    """What a comparison answers when the challenger is that much better."""
    interval = {"value": difference, "low": difference - 0.01, "high": difference + 0.01}
    return {
        "rows": rows,
        "positives": rows // 5,
        "onnx_max_difference": 1e-7,
        "latency_ms_per_1000": 1.0,
        "metric": {"name": "auc", "champion": 0.7, "challenger": 0.7 + difference, "difference": interval},
        "slices": [{"slice": "a=1", "rows": 900, "difference": interval}],
        "calibration": {"champion": 0.02, "challenger": 0.02},
        "goals": [],
    }


def script(digest: str, **changes: Any) -> dict[str, Any]:
    """What the tiny skills answer: a concept change, and a challenger that is better everywhere."""
    return {
        "diagnose_drift": {
            "causes": [{"cause": "concept_change", "probability": 0.8, "evidence": []}],
            "moved": [],
            "slices": [],
            "label_state": {"coverage": 0.9, "delay_ms_p50": 1.0, "delay_ms_p90": 2.0, "rows": 9_000},
            "performance": {"reference": 0.75, "recent": 0.68, "low": 0.66, "high": 0.70},
        },
        "build_dataset": {"train": "t", "sealed": "s", "rows_train": 9, "rows_sealed": 9, "positives": 3, "versions": {}},
        "propose_windows": {"accepted": [{"window": WINDOW, "gain": 0.05}], "rejected": [], "tried": 3},
        "train_xgboost": {
            "digest": digest,
            "metrics": {"auc": {"value": 0.8, "low": 0.7, "high": 0.9}},
            "rows": 9,
            "seconds": 1.0,
        },
        "compare_models": comparison(0.05),
        "live_challenger": comparison(0.05),
        "live_champion": comparison(0.05),
    } | changes


def event(
    time_ms: int,
    kind: str = "performance",
    transition: str = "confirmed",
    *,
    name: str = "e",
    digest: str = "",
    watched: str = "loss",
) -> DriftEvent:
    """Something a monitor states."""
    proof = Evidence(watched=watched, method="adwin", p_value=0.001, effect=0.1, effect_unit="nats")
    return DriftEvent(
        id=f"{name}-{kind}-{transition}-{time_ms}",
        kind=kind,
        transition=transition,
        model=MODEL,
        digest=digest,
        detector="d",  # type: ignore[arg-type]
        time_ms=time_ms,
        bucket_start_ms=time_ms - DAY,
        bucket_end_ms=time_ms,
        rows=100,
        evidence=(proof,),
    )


class Control:
    """The folder of one control plane, and what it needs to be run again and again.

    Args:
        folder: lake, registry, work and deployments live here.
        changes: what the tiny skills answer instead, by skill.
    """

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.folder = folder
        self.lake = folder / "lake"
        self.champion = bundle(folder / "registry" / MODEL, "champion")
        self.challenger = bundle(self.lake / "staged", "challenger")
        self.lake.mkdir(parents=True, exist_ok=True)
        (self.lake / "script.json").write_text(json.dumps(script(self.challenger, **changes)))
        self.places = Places(MODEL, str(self.lake), folder / "registry", DAY)
        self.world = FileWorld(folder / "deployments.jsonl", MODEL)

    def first_deployment(self) -> Deployment:
        """The champion that serves before anything happens."""
        slot = Slot(name=CHAMPION, digest=self.champion)
        return Deployment(model=MODEL, generation=1, active=(slot,), effective_ms=0, reason="first")

    def loop(
        self,
        ledger: Ledger,
        *,
        owner: str = "one",
        registry: Registry | None = None,
        world: FileWorld | None = None,
        executing: dict[str, Any] | None = None,
        judging: dict[str, Any] | None = None,
        listener: Listener | None = None,
        run: Run | None = None,
        thinker: Planner | None = None,
        asks: Asks | None = None,
        **planning: Any,
    ) -> Loop:
        """Compose the loop as the application does; with a listener, for a model that is served elsewhere.

        `thinker` is the planner that is asked beside the policy planner, where `planner` names another; in `asks`, where given.
        """
        is_observed = listener is not None
        world = world or self.world
        judge = JudgingConfig(**(judging or {}))
        triage = TriagingConfig()
        places, config = self.places, PlanningConfig(**({"autonomy": "act"} | planning))
        plan = Planning(
            ledger,
            places,
            config,
            SKILLS,
            label_wait_ms=triage.label_wait.ms,
            most_waits=triage.most_waits,
            has_windows=not is_observed,
            planner=thinker,
            judging=judge.model_dump(mode="json"),
            asks=asks,
        )
        deploy = Deploying(
            MODEL,
            ledger,
            world,
            DeployingConfig(partitions=2),
            owner=owner,
            shadow_ms=judge.shadow.ms,
            probation_ms=judge.probation.ms,
        )
        execute = Executing(MODEL, ledger, self.executing(**(executing or {})), owner, run=run)
        stages = Stages(
            triaging=Triaging(ledger, places, triage, Lengths(config.train.ms, config.sealed.ms)),
            planning=plan,
            executing=execute,
            judging=Judging(places, judge, goals=InForce(ledger, places)),
            deploying=deploy,
            orders=Orders(
                ledger,
                places,
                plan,
                deploy,
                goals=Keeping(ledger, lambda today: Vocabulary(model=MODEL, schema=_SCHEMA, today=today)),
                is_observed=is_observed,
            ),
            registry=Follow(
                MODEL,
                ledger,
                registry or NoRegistry(),
                places.registry,
                is_observed=is_observed,
                announcer=Announcer(MODEL, ledger, listener, places.registry) if listener is not None else None,
            ),
            standing=Standing(ledger, places, judge, execute, deploy),
        )
        return Loop(places, ledger, world, stages, EventClock())

    def executing(self, **changes: Any) -> ExecutingConfig:
        """How the tiny skills are run."""
        tiny = {"work": self.folder / "work", "skills_module": "tiny_skills", "python_path": (str(Path(__file__).parent),)}
        return ExecutingConfig(**(tiny | changes))

    def starts(self) -> list[str]:
        """Names of the skills that were started, in order."""
        file = self.lake / "starts.log"
        return file.read_text().split() if file.exists() else []
