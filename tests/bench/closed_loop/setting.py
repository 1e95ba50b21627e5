"""The config of a scenario: what a user would write for its data, the same for every policy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from streams.contracts.features import duration_text
from streams.contracts.schema import ModelSchema

MODEL = "bench"
CONFIG_FILE = "bench.yaml"


class Plan(NamedTuple):
    """What a scenario says of its model: columns, skew, how long labels are waited for, and further settings."""

    schema: ModelSchema
    skew_ms: int
    horizon_ms: int
    autonomy: str
    settings: Mapping[str, Any]


def config(data_dir: Path, plan: Plan, bundle: str) -> dict[str, Any]:
    """Return the config as a YAML file would hold it; what isn't named here is at the product's default."""
    columns = [{"name": column.name, "kind": column.kind, "role": column.role} for column in plan.schema.columns]
    model = {
        "name": MODEL,
        "schema": {"task": plan.schema.task, "columns": columns},
        "partitions": 1,
        "bundle": bundle,
        "replay": True,
        "skew": duration_text(plan.skew_ms),
        "label_horizon": duration_text(plan.horizon_ms),
        # Every policy has a slot, beside the champion before, the challenger and what is being prepared.
        "serving": {"max_bundles": 32},
        "planning": {"autonomy": plan.autonomy},
    }
    return {"data_dir": str(data_dir), "models": [_merged(model, plan.settings)]}


def _merged(model: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    both = {name: {**model[name], **value} for name, value in settings.items() if isinstance(model.get(name), dict)}
    return {**model, **settings, **both}


def write_config(data_dir: Path, content: dict[str, Any]) -> Path:
    """Write the config into the data folder and return its path."""
    file = data_dir / CONFIG_FILE
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return file
