"""The data sets: what each holds, when its labels are known, and that nothing which is known later is among the columns."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from streams.contracts.errors import StreamsError
from tests.bench.closed_loop.data import fraud, fraud_with_risk
from tests.bench.closed_loop.data.base import categories
from tests.bench.closed_loop.data.catalogue import LOADERS, load_data
from tests.bench.closed_loop.data.past import known_mean
from tests.bench.closed_loop.rows import DAY_MS, check

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
LEAKS = {
    *("tx_fraud_scenario", "dep_delay", "arr_time", "arr_delay", "air_time", "cancelled", "reservation_status", "casual"),
    *("assigned_room_type", "booking_changes", "days_in_waiting_list", "registered", "y_pred", "y_pred_proba"),
}
needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="the data folder isn't beside the checkout")


@needs_data
@pytest.mark.shared
@pytest.mark.parametrize("name", [name for name in LOADERS if name != fraud_with_risk.NAME])
def test_every_data_set_is_a_table_of_rows_without_leaks(name: str):
    data = load_data(name, SHARED)
    assert data.name == name
    check(data.rows, data.schema)
    assert not LEAKS & {column.name for column in data.schema.columns}
    for window in data.windows:
        window.check(data.schema)
    assert 0 <= data.rows["time_ms"].iloc[0] - data.epoch_ms < DAY_MS
    assert data.rows["known_ms"].notna().equals(data.rows["label"].notna())
    assert data.rows["told"].equals(data.rows["label"])


@needs_data
@pytest.mark.shared
def test_a_name_that_is_no_data_set_is_answered_with_those_there_are(tmp_path: Path):
    with pytest.raises(StreamsError, match="there is no data set 'frauds'; there are"):
        load_data("frauds", SHARED)
    with pytest.raises(StreamsError, match="put the data folder there"):
        load_data("fraud", tmp_path)


def payments(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    seconds = np.sort(rng.integers(0, 60 * 86_400, rows))
    return pd.DataFrame(
        {
            "transaction_id": np.arange(rows),
            "tx_datetime": pd.Timestamp("2018-04-01") + pd.to_timedelta(seconds, unit="s"),
            "customer_id": rng.integers(0, 20, rows),
            "terminal_id": rng.integers(0, 30, rows),
            "tx_amount": rng.gamma(2, 30, rows).astype("float32"),
            "tx_fraud": (rng.random(rows) < 0.1).astype("int8"),
        }
    )


def test_payments_carry_their_calendar_and_their_label_a_week_later(tmp_path: Path):
    payments(500).to_parquet(tmp_path / fraud.FILE)
    data = fraud.load(tmp_path)
    assert ((data.rows["known_ms"] - data.rows["time_ms"]) == 7 * DAY_MS).all()
    first_monday = data.rows["time_ms"].searchsorted(data.epoch_ms + DAY_MS)
    assert data.rows["weekend"].iloc[[0, first_monday]].tolist() == [1.0, 0.0]
    assert data.rows["night"].equals((data.rows["local_hour"] <= 6).astype("float64"))
    assert [window.text for window in data.windows[:4]] == [
        "count(requests) by customer_id over 1d",
        "mean(amount) by customer_id over 1d",
        "count(outcomes) by terminal_id over 1d known 6h before",
        "mean(outcome.label) by terminal_id over 1d known 6h before",
    ]


def test_the_upstream_column_is_what_was_known_before(tmp_path: Path):
    payments(800).to_parquet(tmp_path / fraud.FILE)
    rows = fraud_with_risk.load(tmp_path).rows
    for row in (0, 400, 799):
        at = rows["time_ms"][row]
        same = rows[
            (rows["terminal_id"] == rows["terminal_id"][row]) & (rows["known_ms"] < at) & (rows["known_ms"] >= at - 28 * DAY_MS)
        ]
        assert rows["terminal_risk"][row] == pytest.approx(same["label"].mean() if len(same) else 0.0)


def test_what_is_never_known_is_no_fact():
    key, label = pd.Series(["a", "a", "b"]), pd.Series([1.0, np.nan, 1.0])
    mean = known_mean(key, pd.Series([10, 20, 30]), pd.Series([15.0, np.nan, 40.0]), label, 100)
    assert mean.tolist() == [0.0, 1.0, 0.0]


def test_codes_become_text_and_missing_ones_none():
    assert categories(pd.Series([3.0, np.nan])).tolist() == ["3", None]
    assert categories(pd.Series(["PRT", None])).tolist() == ["PRT", None]
