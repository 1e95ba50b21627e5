"""Every data set by its name, and the data that a scenario names, before its injections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from streams.contracts.errors import StreamsError
from tests.bench.closed_loop.data import flights, fraud, fraud_with_risk
from tests.bench.closed_loop.data.base import DataSet

LOADERS: Final[Mapping[str, Callable[[Path], DataSet]]] = {
    fraud.NAME: fraud.load,
    fraud_with_risk.NAME: fraud_with_risk.load,
    flights.NAME: flights.load,
}


def load_data(name: str, folder: Path) -> DataSet:
    """Read a data set from the folder of its parquet files.

    Raises:
        StreamsError: there is no data set of that name, or its files aren't in the folder.
    """
    if name not in LOADERS:
        raise StreamsError(f"there is no data set {name!r}; there are {', '.join(sorted(LOADERS))}")
    try:
        return LOADERS[name](folder)
    except FileNotFoundError as error:
        raise StreamsError(f"data set {name!r}: {error.filename or error} is missing; put the data folder there") from error
