"""From a scenario file to the data that are replayed, on a parquet file of one's own."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from streams.contracts.errors import StreamsError
from tests.bench.closed_loop.data.file import ColumnRole, FileRoles, load_file
from tests.bench.closed_loop.prepared import Prepared, day_ms, prepare
from tests.bench.closed_loop.rows import DAY_MS
from tests.bench.closed_loop.scenario import load_scenario

ROLES = {
    "time": "asked",
    "label": "late",
    "known": "landed",
    "columns": [{"name": "miles", "kind": "number"}, {"name": "airport", "kind": "category"}],
}
SCENARIO = {
    "id": "own",
    "title": "A file of one's own",
    "data": {"file": "own.parquet", "roles": ROLES},
    "champion": {"first_day": 0, "last_day": 4},
    "replay": {"first_day": 5, "last_day": 9},
    "bucket": "1h",
    "injections": [{"kind": "scale", "column": "miles", "factor": [2, 3, 5], "first_day": 6, "last_day": 7}],
    "truth": {"onset_day": 6, "diagnosis": ["upstream_data_break"]},
    "score": {"first_day": 5, "last_day": 9},
}


def write(folder: Path, **columns: object) -> Path:
    hours = 240
    asked = pd.Timestamp("2020-03-01") + pd.to_timedelta(np.arange(hours), unit="h")
    table = pd.DataFrame(
        {
            "asked": asked,
            "miles": np.arange(hours) + 1,
            "airport": np.where(np.arange(hours) % 7 == 0, None, "JFK"),
            "late": np.where(np.arange(hours) % 5 == 0, np.nan, np.arange(hours) % 2),
            "landed": asked + pd.Timedelta(hours=3),
        }
    )
    table.assign(**columns).to_parquet(folder / "own.parquet")
    return folder / "own.parquet"


def prepared(folder: Path, **changes: object) -> Prepared:
    file = folder / "own.yaml"
    file.write_text(yaml.safe_dump(SCENARIO | changes))
    return prepare(load_scenario(file), folder / "nowhere", beside=folder)


def test_a_file_becomes_a_data_set_by_its_roles(tmp_path: Path):
    data = load_file(write(tmp_path), FileRoles.model_validate(ROLES))
    assert data.name == "own"
    assert data.rows["id"].iloc[0] == "000000"
    assert data.rows["airport"].iloc[0] is None
    assert np.isnan(data.rows["known_ms"].iloc[0])
    assert data.rows["known_ms"].iloc[1] - data.rows["time_ms"].iloc[1] == 3 * 3_600_000
    assert data.epoch_ms == data.rows["time_ms"].iloc[0]


def test_times_may_be_numbers_and_ids_codes(tmp_path: Path):
    ms = np.arange(240, dtype="int64") * 3_600_000
    file = write(tmp_path, asked=ms, landed=ms + 1_000, number=np.arange(240))
    rows = load_file(file, FileRoles.model_validate(ROLES | {"id": "number"})).rows
    assert rows["time_ms"].tolist() == ms.tolist()
    assert set(rows["id"]) == {str(number) for number in range(240)}


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ({"time": "when"}, "there is no column when; there are asked"),
        ({"known": None}, "exactly one of `known` and `label_after`"),
        ({"time": "airport"}, "'airport' holds no times"),
    ],
)
def test_roles_that_do_not_fit_are_named(tmp_path: Path, roles: dict[str, object], said: str):
    file = write(tmp_path)
    with pytest.raises(StreamsError, match=said):
        load_file(file, FileRoles.model_validate(ROLES | roles))


def test_an_amount_is_one_of_the_numbers():
    with pytest.raises(ValueError, match="airport is no number among the columns"):
        FileRoles.model_validate(ROLES | {"amount": "airport"})


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(StreamsError, match="give a parquet file"):
        load_file(tmp_path / "absent.parquet", FileRoles.model_validate(ROLES))


def test_a_role_has_a_closed_set():
    with pytest.raises(ValueError, match="number"):
        ColumnRole.model_validate({"name": "miles", "kind": "integer"})


def test_a_scenario_is_prepared_by_its_seed(tmp_path: Path):
    file = write(tmp_path)
    before = load_file(file, FileRoles.model_validate(ROLES)).rows["miles"]
    data, drawn = prepared(tmp_path, seed=1)
    assert drawn[0].factor in {2, 3, 5}
    changed = (data.rows["miles"] / before).to_numpy()
    on = (data.rows["time_ms"] >= day_ms(data, 6)) & (data.rows["time_ms"] < day_ms(data, 8))
    assert set(changed[on]) == {drawn[0].factor}
    assert set(changed[~on]) == {1}
    assert prepared(tmp_path, seed=1).data.rows.equals(data.rows)
    assert len({prepared(tmp_path, seed=seed).drawn[0].factor for seed in range(12)}) == 3


def test_a_broken_amount_is_worth_what_it_was(tmp_path: Path):
    write(tmp_path)
    roles = ROLES | {"amount": "miles"}
    more = {"kind": "faster", "factor": 2, "keys": ["airport"], "first_day": 6, "last_day": 6}
    data, _ = prepared(tmp_path, data={"file": "own.parquet", "roles": roles}, injections=[more, *SCENARIO["injections"]])
    assert data.worth is not None
    assert len(data.worth) == len(data.rows) > 240
    on = ((data.rows["time_ms"] >= day_ms(data, 6)) & (data.rows["time_ms"] < day_ms(data, 8))).to_numpy()
    assert set(data.rows["miles"][on] / data.worth[on]) <= {2, 3, 5}
    assert (data.rows["miles"][~on] == data.worth[~on]).all()
    assert prepared(tmp_path).data.worth is None


def test_labels_may_be_later_and_facts_further_away(tmp_path: Path):
    write(tmp_path)
    data, _ = prepared(tmp_path, label_delay="2d", skew="3h", injections=[])
    known = data.rows["known_ms"].notna()
    assert known.equals(data.rows["label"].notna())
    assert ((data.rows["known_ms"] - data.rows["time_ms"])[known] == 2 * DAY_MS).all()
    assert data.skew_ms == 3 * 3_600_000
