"""The daemon killed at every durable change of an incident: the same end, one swap, every effect once."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from daemon.ledger.ledger import open_ledger
from tests.kit.control import MODEL
from tests.kit.world import FileWorld

ROOT = Path(__file__).parents[2]


async def drive(tmp_path: Path, mode: str) -> tuple[Path, list[str]]:
    """Run an incident to its end; return where it lies and the boundaries passed, in order and with repeats.

    Every run is in a folder of the same name, because plans hold absolute paths; it is put aside afterwards.
    """
    folder, aside = tmp_path / "run", tmp_path / mode
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.kit.crash_driver", str(folder), mode, cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    said = (await process.communicate())[1]
    assert process.returncode == 0, said.decode()
    folder.rename(aside)
    return aside, (aside / "boundaries.log").read_text().splitlines()


def end_state(folder: Path) -> dict[str, Any]:
    """All that may not depend on how often the daemon died."""
    with sqlite3.connect(folder / "ledger.sqlite") as ledger:
        tables = {
            name: ledger.execute(f"SELECT {columns} FROM {name} ORDER BY 1, 2").fetchall()  # noqa: S608 - our own names
            for name, columns in {
                "incident": "id, state, challenger, plan_digest, reason, moved_ms, details",
                "event": "id, decision, incident_id",
                "step": "id, state, failure, result, ended_ms",
                "plan": "digest, data",
                "experiment": "fingerprint, outcome",
                "lesson": "incident_id, text, numbers",
                "budget_entry": "incident_id, kind, amount, time_ms",
            }.items()
        }
    ledger.close()
    bundles = sorted(path.name for path in (folder / "registry" / MODEL).iterdir())
    starts = (folder / "lake" / "starts.log").read_text().split()
    return tables | {"starts": starts, "deployments": FileWorld(folder / "deployments.jsonl").history, "bundles": bundles}


def check_audit(folder: Path) -> None:
    with open_ledger(folder / "ledger.sqlite", read_only=True) as ledger:
        assert ledger.verify() is None
        moves = [record.data["to"] for record in ledger.trail() if record.kind == "incident.moved"]
    assert moves == ["diagnosed", "planned", "running", "judged", "shadowing", "promoting", "probation", "closed"]


async def test_killed_at_every_boundary_ends_as_if_never_killed(tmp_path: Path) -> None:
    whole, boundaries = await drive(tmp_path, "once")
    killed, passed = await drive(tmp_path, "always")
    assert len(boundaries) == len(set(boundaries)) >= 40
    assert set(passed) == set(boundaries), "every boundary of the whole run was reached, and ended a life"
    expected = end_state(whole)
    assert end_state(killed) == expected
    assert [one.reason.split()[0] for one in expected["deployments"]] == ["first", "prepare", "shadow", "promote", "tidy"]
    check_audit(killed)


@pytest.mark.full
@pytest.mark.parametrize("boundary", range(1, 49))
async def test_killed_once_at_any_boundary_ends_as_if_never_killed(tmp_path: Path, boundary: int) -> None:
    whole, boundaries = await drive(tmp_path, "once")
    assert boundary <= len(boundaries)
    killed, _ = await drive(tmp_path, str(boundary))
    assert end_state(killed) == end_state(whole)
    check_audit(killed)
