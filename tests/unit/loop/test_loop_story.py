from __future__ import annotations

import inspect
from pathlib import Path

from daemon.ledger.ledger import open_ledger
from daemon.loop import Loop
from tests.kit.control import DAY, START, Control, event


async def test_a_confirmed_loss_ends_in_one_proven_promotion_and_a_lesson(tmp_path: Path) -> None:
    control = Control(tmp_path)
    await control.world.publish(control.first_deployment())
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        loop = control.loop(ledger)
        loop.on_event(event(START))
        states = []
        for day in range(30):
            await loop.on_watermark(START + day * DAY)
            states.append(ledger.incidents()[0].state)
        assert states[0] == "shadowing"
        assert states[8] == "probation"
        assert states[-1] == "closed"
        reasons = [one.reason for one in control.world.history]
        assert [reason.split()[0] for reason in reasons] == ["first", "prepare", "shadow", "promote", "tidy"]
        assert control.world.history[-1].champion == control.challenger
        assert control.world.history[2].effective_ms == START + 30 * 60_000
        assert len(ledger.lessons("m")) == 1
        assert ledger.verify() is None
        assert control.starts() == [
            "diagnose_drift",
            "build_dataset",
            "propose_windows",
            "train_xgboost",
            "compare_models",
            "compare_models",
            "compare_models",
        ]


def test_the_loop_stays_one_page() -> None:
    assert len(Path(inspect.getfile(Loop)).read_text().splitlines()) < 150
