"""Every skill found in the folder passes the family's checks; an example is needed for each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skills import build_dataset, train_xgboost
from skills._kit.checks import CHECKS, Example
from skills._kit.scoring import score_table
from skills._kit.skill import names
from streams.inference.session import load
from streams.inference.store import BundleStore
from tests.kit import histories
from tests.kit.shops import BURSTS, DAY_MS, MODEL, SCHEMA, SKEW_MS, orders, serve

GOALS = [
    {"id": "g1", "metric": "precision", "floor": 0.9, "cohort": [{"column": "colour", "values": ["red"]}]},
    {"id": "g2", "metric": "brier", "aim": "improve", "change": {"by": 0.05, "of": "relative"}},
    {"id": "g3", "metric": "latency_p99", "ceiling": 20.0},
]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Example]:
    folder = tmp_path_factory.mktemp("family")
    given = orders(1_500, 3, planted=BURSTS)
    pq.write_table(given.table, folder / "history.parquet")
    answers = given.table["label"].to_numpy() * 0.5 + 0.25
    pq.write_table(given.table.append_column("score", pa.array(answers)), folder / "answers.parquet")
    common: dict[str, Any] = {"lake": str(folder / "lake"), "registry": str(folder / "registry"), "model": MODEL}
    first = {"schema": given.schema, "skew_ms": SKEW_MS}
    ranges = {"until_ms": given.end_ms, "train_ms": 18 * DAY_MS, "sealed_ms": 4 * DAY_MS}
    digest = "0" * 64
    serve(given, folder / "lake", given.table["label"].to_numpy() * 0.5, digest)
    data = build_dataset.run(build_dataset.Input(**common, **first, **ranges), folder)
    parameters = {"rounds": 20}
    champion = train_xgboost.run(train_xgboost.Input(**common, **first, train=data.train, parameters=parameters), folder).digest
    scores = score_table(load(BundleStore(folder / "registry"), MODEL, champion), given.table)
    common |= {"lake": str(folder / "served"), "champion": champion}
    serve(given, folder / "served", scores, champion)
    table, schema = str(folder / "history.parquet"), msgspec.to_builtins(SCHEMA)
    history = {"lake": str(folder / "past"), "model": MODEL, "schema": schema, "table": table, "name": "h"}
    own = {"registry": common["registry"], "model": MODEL, "schema": schema}
    months = histories.log_of(5, rows=8)
    pq.write_table(months, folder / "months.parquet")
    watched_model = histories.trained_on(histories.between(months, 0, 0.5), folder / "watched", histories.schema_of(2))
    calibrated = {"registry": str(folder / "watched/registry"), "model": histories.MODEL, "bundle": watched_model}
    calibrated |= {"table": str(folder / "months.parquet"), "schema": msgspec.to_builtins(histories.schema_of(2))}
    arguments: dict[str, dict[str, Any]] = {
        "adopt_model": own | {"table": str(folder / "answers.parquet")},
        "build_dataset": common | ranges,
        "calibrate_monitors": calibrated | {"watch": histories.WATCH | {"min_rows": 5}, "alarms_per_month": 2.0},
        "compare_models": common | {"challenger": champion, "sealed": data.sealed, "seed": 1, "goals": GOALS},
        "diagnose_drift": common | {"now_ms": given.end_ms, "recent_ms": 4 * DAY_MS, "events": []},
        "import_history": history,
        "propose_windows": common | {"train": data.train, "until_ms": given.end_ms - 4 * DAY_MS, "budget_seconds": 30},
        "train_xgboost": common | {"train": data.train, "parameters": parameters, "seed": 1},
    }
    watched = {"lake": folder / "served", "registry": folder / "registry", "past": folder / "past"}
    varying = {
        "train_xgboost": ("seconds",),
        "adopt_model": ("seconds",),
        "calibrate_monitors": ("seconds",),
        "compare_models": ("latency_ms_per_1000",),
    }
    return {
        name: Example(name, given_to, {**watched, "lake": Path(given_to.get("lake", folder / "lake"))}, varying.get(name, ()))
        for name, given_to in arguments.items()
    }


def test_every_skill_has_an_example_and_none_is_left_over(examples: dict[str, Example]):
    assert sorted(examples) == sorted(names())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", names())
def test_skill(name: str, check: Callable[[Example, Path], None], examples: dict[str, Example], tmp_path: Path):
    check(examples[name], tmp_path)
