"""The demo's config: what a user would write, for the flights model, in replay and with autonomy `act`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from daemon.demo.flights import MODEL, SCHEMA

CONFIG_FILE = "demo.yaml"
ALONE, MONTHLY = "alone", "monthly"
BUCKET_MS = 3_600_000


def config(data_dir: Path, bundle: str) -> dict[str, Any]:
    """Return the config as a YAML file would hold it."""
    columns = [{"name": column.name, "kind": column.kind} for column in SCHEMA.columns]
    model = {
        "name": MODEL,
        "schema": {"task": SCHEMA.task, "columns": columns},
        "partitions": 1,
        "bundle": bundle,
        "replay": True,
        # Facts become visible one bucket later, so that a bucket needs nothing that is made while it passes.
        "skew": "1h",
        "label_horizon": "3d",
        "monitoring": {"cooldown": "10d"},
        "triaging": {"cooldown": "10d", "recent": "7d", "label_wait": "2d"},
        "planning": {"autonomy": "act", "promotions_per_30d": 1, "train": "120d", "sealed": "7d", "search_seconds": 60},
        "judging": {"shadow": "3d", "probation": "7d", "recheck": "2d"},
    }
    return {"data_dir": str(data_dir), "models": [model]}


def write_config(data_dir: Path, bundle: str) -> Path:
    """Write the config into the data folder and return its path."""
    file = data_dir / CONFIG_FILE
    file.write_text(yaml.safe_dump(config(data_dir, bundle), sort_keys=False))
    return file
