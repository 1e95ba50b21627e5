"""When tables are put in order, and what of them stays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from streams.archiving.config import ArchivingConfig
from streams.archiving.maintenance import Maintenance
from streams.contracts.errors import BundleRefused
from streams.lake.compaction import FEW
from streams.lake.lake import Lake
from streams.lake.tables import EVENT_TIMES
from streams.runtime.durations import Duration
from streams.runtime.telemetry import Telemetry
from tests.kit.lakes import DAY, MODEL, many_commits

HOUR = 3_600_000


class SetClock:
    """A wall clock that a test sets."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.now_ms / 1_000, dt.UTC)

    def monotonic(self) -> float:
        return self.now_ms / 1_000


def maintenance(lake: Lake, **changes: Any) -> Maintenance:
    config = ArchivingConfig(keep_rows=Duration.of(changes.pop("keep_rows", "2d")))
    given: dict[str, Any] = {"spared": dict, "replay": False, "clock": SetClock(90 * DAY), "telemetry": Telemetry([MODEL])}
    return Maintenance(lake, MODEL, tuple(EVENT_TIMES), config, **{**given, **changes})


def days(lake: Lake, table: str = "predictions") -> list[int]:
    return sorted({time // DAY for time in lake.read(MODEL, table, ["time_ms"]).to_pydict()["time_ms"]})


def test_it_is_due_once_an_hour_of_event_time(tmp_path: Path):
    kept = maintenance(Lake(tmp_path))
    assert kept.is_due(0)
    kept.run(0)
    assert [kept.is_due(moment) for moment in (0, HOUR - 1, HOUR)] == [False, False, True]
    kept.run(5 * HOUR + 7)
    assert [kept.is_due(moment) for moment in (HOUR, 6 * HOUR - 1, 6 * HOUR)] == [False, False, True]


def test_files_are_merged_and_rows_expire(tmp_path: Path):
    lake, telemetry = Lake(tmp_path), Telemetry([MODEL])
    many_commits(lake, 5, FEW + 1)
    with capture_logs() as logs:
        maintenance(lake, telemetry=telemetry).run(5 * DAY)
    assert days(lake) == [3, 4]
    assert [entry["event"] for entry in logs] == ["FilesMerged", "RowsExpired"]
    labels = {"model": MODEL, "table": "predictions"}
    assert telemetry.registry.get_sample_value("driftwake_archiving_merged_files_total", labels) == 5 * (FEW + 1)
    assert lake.positions(MODEL, "predictions") == {"t/0": FEW + 1}


def test_rows_go_once_a_day_and_by_the_wall_where_event_time_is_ahead(tmp_path: Path):
    lake, clock = Lake(tmp_path), SetClock(90 * DAY)
    many_commits(lake, 5, 1)
    kept = maintenance(lake, clock=clock)
    kept.run(2 * DAY + HOUR)
    assert days(lake) == [0, 1, 2, 3, 4]
    kept.run(3 * DAY)
    assert days(lake) == [1, 2, 3, 4]
    clock.now_ms = 4 * DAY
    kept.run(80 * DAY)
    assert days(lake) == [2, 3, 4]


def test_a_replay_only_merges(tmp_path: Path):
    lake = Lake(tmp_path)
    version = many_commits(lake, 3, FEW + 1)
    maintenance(lake, replay=True, spared=no_registry).run(90 * DAY)
    assert days(lake) == [0, 1, 2]
    assert lake.version(MODEL, "predictions") == version + 1


def test_it_leaves_versions_alone_while_nobody_says_which_are_named(tmp_path: Path):
    lake = Lake(tmp_path)
    many_commits(lake, 5, 1)
    kept = maintenance(lake, spared=no_registry)
    with capture_logs() as logs:
        kept.run(5 * DAY)
    assert [(entry["event"], entry["reason"]) for entry in logs] == [("MaintenanceFailed", "the registry isn't there")]
    assert days(lake) == [0, 1, 2, 3, 4]
    kept._spared = dict
    kept.run(5 * DAY + HOUR)  # the same day, but what was due wasn't done
    assert days(lake) == [3, 4]


def no_registry() -> Mapping[str, Collection[int]]:
    raise BundleRefused("the registry isn't there")


def test_a_version_that_is_gone_is_told(tmp_path: Path):
    lake = Lake(tmp_path)
    many_commits(lake, 1, 120)
    table = tmp_path / MODEL / "predictions" / "_delta_log"
    (table / f"{3:020}.json").unlink()
    with capture_logs() as logs:
        maintenance(lake, spared=lambda: {"predictions": {5, 110}, "elsewhere": {1}}).run(HOUR)
    lost = [entry for entry in logs if entry["event"] == "VersionsLost"]
    assert [(entry["table"], entry["versions"]) for entry in lost] == [("predictions", [5])]


def test_limits_that_would_take_what_is_in_use_are_refused():
    with pytest.raises(ValidationError, match="at least 1d"):
        ArchivingConfig(keep_rows=Duration.of("23h"))
    with pytest.raises(ValidationError, match="at least 1h"):
        ArchivingConfig(keep_versions=Duration.of("59m"))
