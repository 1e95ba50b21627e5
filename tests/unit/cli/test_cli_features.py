"""`driftwake features`: what a feature is, and what it is for every row of a file."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.kit.command_line import Run

HOUR_MS = 3_600_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "log.parquet"
    pd.DataFrame(
        {
            "at": pd.to_datetime([0, 1, 2, 30], unit="h", utc=True),
            "weight": [1.0, 2.0, None, 8.0],
            "depot": ["north", "north", "south", "north"],
            "strange name": [1, 2, 3, 4],
            "broken": [0.0, 1.0, 0.0, None],
            "seen": pd.to_datetime([3, 3, 40, None], unit="h", utc=True),
        }
    ).to_parquet(file)
    return file


def values(run: Run, *arguments: str) -> list[float | None]:
    answer = run("features", "try", *arguments, "--json")
    assert answer.code == 0, answer.err
    return [row["value"] for row in json.loads(answer.out)["last"]]


def test_a_window_is_computed_for_every_row(run: Run, file: Path):
    given = ("--data", str(file), "--time", "at")
    assert values(run, "count(requests) by depot over 2d", *given) == [0, 1, 0, 2]
    assert values(run, 'sum(weight) over 1d where depot == "north"', *given) == [0, 1, 3, 0]
    assert values(run, "max(weight) by depot over 1d known 1h before", *given) == [None, None, None, None]


def test_a_window_over_outcomes_counts_them_from_when_they_were_known(run: Run, file: Path):
    given = ("--data", str(file), "--time", "at", "--label", "broken", "--label-time", "seen")
    assert values(run, "mean(outcome.label) over 2d", *given) == [None, None, None, 0.5]
    assert values(run, "count(outcomes) by depot over 2d", *given) == [0, 0, 0, 2]


def test_a_source_is_looked_up(run: Run, file: Path, tmp_path: Path):
    hours = pd.to_datetime([0, 1, 20], unit="h", utc=True)
    wind = pd.DataFrame({"at": hours, "depot": ["north", "south", "north"], "wind": [10.0, 20.0, 90.0]})
    wind.to_parquet(tmp_path / "wind.parquet")
    given = ("--data", str(file), "--time", "at", "--source", f"weather={tmp_path / 'wind.parquet'}")
    assert values(run, "last(weather.wind) by depot over 2d", *given) == [None, 10.0, 20.0, 90.0]
    assert values(run, "count(weather) over 2d where wind > 15", *given) == [0, 0, 1, 2]
    answer = run("features", "explain", "last(weather.wind) by depot over 2d", *given[:2], *given[4:])
    assert answer.code == 0, answer.err
    for text in ("reads depot, wind", "source_weather", "for a row at t: weather from t - 2d to before t"):
        assert text in answer.out


def test_a_formula_is_computed_for_every_row(run: Run, file: Path):
    given = ("--data", str(file), "--time", "at")
    assert values(run, "weight / (1 + hour(time))", *given) == [1.0, 1.0, None, 8 / 7]
    assert values(run, 'depot == "south"', *given) == [0, 0, 1, 0]


def test_values_are_shown_and_written(run: Run, file: Path, tmp_path: Path):
    out = tmp_path / "values.parquet"
    answer = run(
        "features", "try", "count(requests) over 1d", "--data", str(file), "--time", "at", "--out", str(out), "--rows", "2"
    )
    assert answer.code == 0
    assert "1970-01-02T06:00:00Z" in answer.out
    assert "1970-01-01T01:00:00Z" not in answer.out
    assert "median" in answer.out
    assert pd.read_parquet(out)["value"].tolist() == [0, 1, 2, 0]


def test_the_config_s_skew_and_roles_count(run: Run, file: Path, config: Path):
    given = ("--data", str(file), "--config", str(config), "--time", "at")
    # A model's facts are seen an hour late unless its config says otherwise.
    assert values(run, "count(requests) over 1d", *given) == [0, 0, 1, 0]


def test_a_window_is_explained(run: Run, config: Path):
    answer = run("features", "explain", "lag(weight, 2) by depot over 7d known 1h before", "--config", str(config), "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert found["text"] == "lag(weight, 2) by depot over 7d known 1h before"
    assert found["reads"] == ["depot", "weight"]
    assert found["sees"] == "for a row at t: requests from t - 170h to before t - 2h"
    assert "RANGE BETWEEN" in found["sql"]
    assert found["nodes"]["Gather"] >= 1
    assert found["spec"]["aggregate"] == "lag"
    assert 8 < found["state"]["bytes_per_fact"] < 200
    assert 50 < found["state"]["bytes_per_key"] < 500


def test_a_formula_is_explained(run: Run, file: Path):
    answer = run("features", "explain", 'log1p(weight) * (depot in ("north"))', "--data", str(file))
    assert answer.code == 0, answer.err
    for text in ("log1p(weight)", "reads depot, weight", "LabelEncoder", "the row itself", "ln(x)"):
        assert text in answer.out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("explain", "count(requests) over 1d"), "--config"),
        (("explain", "weigth + 1", "--data", "FILE"), "position 1: no column or window 'weigth'"),
        (("explain", "count(weight) over 1d", "--data", "FILE"), "no source 'weight' is registered"),
        (("explain", "mean(requests) over 1d", "--data", "FILE"), "position 6"),
        (("explain", "count(requests) by cart over 1d", "--data", "FILE"), "no column 'cart'"),
        (("explain", "sum(weight) over 1d where weight", "--data", "FILE"), "is a number, not true or false"),
        (("try", "weight", "--data", "FILE"), "log.time"),
        (("explain", "weight", "--data", "FILE", "--source", "weather"), "--source weather=weather.parquet"),
        (("explain", "last(weather.wind) over 1d", "--data", "FILE"), "no source 'weather' is registered"),
        (("try", "mean(outcome.label) over 1d", "--data", "FILE", "--time", "at"), "log.label"),
        (("try", "weight", "--data", "gone.parquet"), "isn't a readable parquet file"),
    ],
)
def test_bad_input_says_what_to_do(run: Run, file: Path, arguments: tuple[str, ...], why: str):
    answer = run("features", *(str(file) if one == "FILE" else one for one in arguments))
    assert answer.code == 2
    assert why in answer.err


def test_a_tagged_column_groups_and_is_not_shown(run: Run, file: Path, tmp_path: Path):
    config = tmp_path / "config.yaml"
    column = "{name: depot, kind: category, role: key, tags: [pii]}"
    config.write_text(
        "models:\n  - name: toys\n    skew: 1ms\n    log: {time: at}\n    schema:\n      columns:\n"
        f"        - {{name: weight, kind: number}}\n        - {column}\n"
    )
    given = ("--config", str(config), "--data", str(file), "--json")
    answer = run("features", "try", "count(requests) by depot over 2d", *given)
    assert answer.code == 0, answer.err
    assert [row["value"] for row in json.loads(answer.out)["last"]] == [0, 1, 0, 2]
    assert "north" not in answer.out
    for text in ("distinct(depot) over 1d", 'count(requests) over 1d where depot == "north"', 'depot == "north"'):
        for command in ("try", "explain"):
            refused = run("features", command, text, *(given if command == "try" else given[:2]))
            assert refused.code != 0
            assert "tagged pii" in refused.err
