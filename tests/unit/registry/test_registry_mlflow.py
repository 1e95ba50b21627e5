from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from daemon.errors import RegistryError
from daemon.ledger.ledger import open_ledger
from daemon.registry.follow import Follow
from daemon.registry.mlflow_door import MlflowRegistry
from daemon.registry.records import Training
from streams.contracts.records import Deployment
from tests.kit.control import DAY, MODEL, START, Control, event

OLD, NEW = "a" * 64, "b" * 64


class Broken:
    """A registry that is down."""

    def __init__(self) -> None:
        self.calls = 0

    async def register(self, model: str, training: Training) -> bool:
        self.calls += 1
        raise RegistryError("down")

    async def point(self, model: str, alias: str, digest: str | None) -> None:
        raise RegistryError("down")


# MLflow and the libraries it starts leave warnings that aren't ours to fix.
@pytest.mark.filterwarnings("ignore")
async def test_trainings_are_runs_and_slots_are_aliases(tmp_path: Path) -> None:
    training = Training(
        digest=NEW, incident="inc", plan="p", action="retrain", champion=OLD, folder=tmp_path / NEW, metrics={"auc": 0.8},
        parameters={"seed": "0"}, started_ms=START, seconds=2.0,
    )  # fmt: skip
    registry = MlflowRegistry(f"sqlite:///{tmp_path}/mlflow.sqlite", tmp_path / "mlruns")
    assert await registry.register(MODEL, training)
    assert not await registry.register(MODEL, training)
    await registry.point(MODEL, "challenger", NEW)
    await registry.point(MODEL, "champion", OLD)
    await registry.point(MODEL, "champion", NEW)
    await registry.point(MODEL, "challenger", None)
    await registry.point(MODEL, "challenger", None)
    client = registry._connected()
    version = client.get_model_version_by_alias(MODEL, "champion")
    assert version.tags["driftwake.digest"] == NEW
    assert "challenger" not in client.get_registered_model(MODEL).aliases
    run = client.get_run(version.run_id)
    assert (run.data.metrics["auc"], run.data.params["seed"], run.data.tags["driftwake.champion"]) == (0.8, "0", OLD)


async def test_a_registry_that_is_down_stops_nothing_and_is_on_the_audit(tmp_path: Path) -> None:
    control, broken = Control(tmp_path), Broken()
    await control.world.publish(control.first_deployment())
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        loop = control.loop(ledger, registry=broken)
        loop.on_event(event(START))
        for day in range(30):
            await loop.on_watermark(START + day * DAY)
        assert ledger.incidents()[0].state == "closed"
        failures = [record for record in ledger.trail() if record.kind == "registry.failed"]
    assert broken.calls == 3
    assert failures
    assert "down" in failures[0].data["error"]


async def test_nothing_is_told_before_the_first_training(tmp_path: Path) -> None:
    broken = Broken()
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        follow = Follow(MODEL, ledger, broken, tmp_path)
        deployment = msgspec.convert(
            {"model": MODEL, "generation": 1, "active": [{"name": "champion", "digest": OLD}], "effective_ms": 0, "reason": ""},
            Deployment,
        )
        await follow.follow(deployment, 1)
        assert ledger.trail() == []
