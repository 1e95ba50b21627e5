"""Scenario files: all of them are right, and what is wrong in one is said in words."""

from pathlib import Path
from typing import get_args

import pytest
import yaml

from streams.contracts.errors import ConfigError
from tests.bench.closed_loop.data.catalogue import LOADERS
from tests.bench.closed_loop.data.file import FileRoles
from tests.bench.closed_loop.injections.family import Injection
from tests.bench.closed_loop.scenario import SCENARIOS, Days, Fault, Planted, Scenario, Truth, load_scenario, scenario_files

FILES = scenario_files()


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_a_scenario_on_known_data(name: str):
    scenario = load_scenario(FILES[name])
    assert scenario.id == name
    assert scenario.data in LOADERS
    last = max((one.last_day for one in scenario.injections), default=0)
    assert last <= scenario.replay.last_day
    assert all(scenario.replay.first_day <= fault.day <= scenario.replay.last_day for fault in scenario.faults)


def test_files_come_in_the_order_of_their_numbers():
    names = list(FILES)
    assert names.index("C8") < names.index("C11a")


def wrong(tmp_path: Path, **changes: object) -> str:
    content = yaml.safe_load(FILES["C8"].read_text()) | changes
    file = tmp_path / "X.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError) as raised:
        load_scenario(file)
    return str(raised.value)


def test_all_findings_come_at_once(tmp_path: Path):
    said = wrong(
        tmp_path,
        bucket=5,
        colour="red",
        injections=[{"kind": "scale", "column": "amount", "first_day": 1, "last_day": 2}],
        bars=[{"metric": "happiness", "at_least": 1}],
    )
    for part in (
        "bucket: must be a duration",
        "colour: there is no such setting",
        "factor: is required",
        "'happiness' is no metric",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"replay": {"first_day": 62, "last_day": 121}}, "within the champion's days"),
        ({"replay": {"first_day": 80, "last_day": 70}}, "lies before first_day"),
        ({"score": {"first_day": 60, "last_day": 121}}, "isn't within the replay"),
        ({"fine": {"first_day": 60, "last_day": 71, "bucket": "1h"}}, "fine 60 to 71 isn't within the replay"),
        ({"injections": [{"kind": "flood", "first_day": 1, "last_day": 2}]}, "flood"),
        ({"injections": [{"kind": "dead_column", "column": "amount", "first_day": 3, "last_day": 2}]}, "before the first"),
        ({"faults": [{"kind": "broker_restart", "day": 80, "forced": True}]}, "broker_restart can't be forced"),
        ({"bars": [{"metric": "incidents"}]}, "exactly one of at_least and at_most"),
        ({"bars": [{"metric": "incidents", "at_most": 1, "last_day": 130}]}, "aren't within the score"),
        ({"truth": {"onset_day": 1, "diagnosis": ["bad_luck"]}}, "'bad_luck' is no cause"),
        ({"truth": {"onset_day": 1, "second_diagnosis": ["concept_change"]}}, "needs a diagnosis beside it"),
        ({"truth": {"onset_day": None, "other_onsets": [80]}}, "need an onset_day"),
        ({"truth": {"onset_day": 77, "other_onsets": [60]}}, "onset on day 60 isn't within the replay"),
        ({"truth": {"onset_day": 77, "other_onsets": [77]}}, "the same moment"),
        ({"truth": {"onset_day": 1, "actions": ["retrain"], "forbidden": ["retrain"]}}, "both right and forbidden"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, changes: dict[str, object], said: str):
    assert said in wrong(tmp_path, **changes)


def test_the_description_names_all_that_a_file_may_hold():
    said = (SCENARIOS / "README.md").read_text("utf-8")
    words = [*Scenario.model_fields, *Truth.model_fields, *Planted.model_fields, *FileRoles.model_fields]
    words += [name for kind in get_args(get_args(Injection)[0]) for name in kind.model_fields if name not in Days.model_fields]
    words += [*get_args(Fault.model_fields["kind"].annotation)]
    assert not [word for word in words if word not in said]
