"""`driftwake adopt`: the bundle of a model that is served elsewhere, out of a log of what it has answered."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from daemon.commands.errors import BadInputError
from daemon.commands.looking import known_model
from daemon.replay.by_hand import ByHand
from daemon.replay.roles import read_log, read_scores
from daemon.settings import DaemonSettings


def adopt(settings: DaemonSettings, model: str, data: Path) -> dict[str, Any]:
    """Make the bundle and publish it to the registry; return its digest and what was measured.

    Args:
        settings: with the model's schema and the columns of its log.
        model: the model's name.
        data: a parquet file.

    Raises:
        BadInputError: the config has no such model, or doesn't name the column of scores.
        LogRefusedError: the log can't be read.
        RunFailedError: there are too few rows, or the scores can't be.
    """
    name = known_model(settings, model)
    given = next(one for one in settings.models if one.name == name)
    if given.log.score is None:
        raise BadInputError("which column holds what the model answered? Name it as `score` in the model's `log` section")
    log = read_log(data, given.log, given.schema_contract())
    labelled = log.history(int(log.requests["time_ms"].max()) + 1)
    rows = pd.merge(labelled, read_scores(data, given.log, given.log.score), on="id", validate="one_to_one")
    with tempfile.TemporaryDirectory(prefix="driftwake-adopt-") as scratch:
        table = Path(scratch) / "rows.parquet"
        rows.to_parquet(table, index=False)
        return asyncio.run(ByHand(settings, given.name).adopt(str(table)))
