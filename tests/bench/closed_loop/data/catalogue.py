"""Every data set by its name, and the data that a scenario names, before its injections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from streams.contracts.errors import StreamsError
from tests.bench.closed_loop.data import (
    bike,
    car_loan,
    elec2,
    elec2_without_price,
    flights,
    fraud,
    fraud_with_risk,
    hotel,
    synthetic,
)
from tests.bench.closed_loop.data.base import DataSet

LOADERS: Final[Mapping[str, Callable[[Path], DataSet]]] = {
    bike.NAME: bike.load,
    car_loan.NAME: car_loan.load,
    elec2.NAME: elec2.load,
    elec2_without_price.NAME: elec2_without_price.load,
    flights.NAME: flights.load,
    fraud.NAME: fraud.load,
    fraud_with_risk.NAME: fraud_with_risk.load,
    hotel.NAME: hotel.load,
    **synthetic.LOADERS,
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
