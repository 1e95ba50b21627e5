"""The YAML to fill in where words don't do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from daemon.goals.vocabulary import Vocabulary


def form_of(vocabulary: Vocabulary, understood: Mapping[str, Any]) -> str:
    """Write what was understood, and below it, as comments, what else can be said."""
    columns = ", ".join(f"{column.name} ({column.kind})" for column in vocabulary.schema.columns if not column.is_closed)
    metrics = ", ".join(metric.name for metric in vocabulary.metrics)
    filled = {"model": vocabulary.model, "aim": "hold", **understood}
    return (
        "# What was understood; what wasn't is missing. Check it and fill in the rest.\n"
        + yaml.safe_dump(filled, sort_keys=False, allow_unicode=True, width=120)
        + f"""\
# aim: hold (needs floor, ceiling or change), improve, or predict (needs target)
# metric: one of {metrics}
# direction: higher or lower, whichever is better of the metric
# floor: 0.95
# ceiling: 0.05
# change: {{by: 0.02, of: points}}       # or relative; to improve at least, or to lose at most where the aim is hold
# cohort: {{COLUMN: [VALUE, ...], COLUMN: {{from: 18, below: 30}}}}   # columns: {columns}
# over: 30 days
# horizon: {{first: 2027-01-01, last: 2027-03-31}}   # or, for a prediction, how far ahead: 30 days
# cost: {{money: 200, currency: EUR, training_minutes: 30, gpu_minutes: 60, per: month}}
# target: {" or ".join(dict.fromkeys(vocabulary.known_targets.values()))}
"""
    )
