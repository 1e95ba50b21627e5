"""The newest known label as the prediction: what autocorrelation alone is worth. It is scored without being served."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

NAME = "last_label"
WHO = "repeats the newest label that was known"


def last_label_scores(rows: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Score each row of the bench's table with the newest label known before its time, as told [rows].

    Of labels that became known at the same time the one of the later row counts. NaN where none was known yet.
    """
    told = rows["known_ms"].notna() & rows["told"].notna()
    facts = rows[told].sort_values("known_ms", kind="stable")
    newest = np.searchsorted(facts["known_ms"].to_numpy(), rows["time_ms"].to_numpy(np.float64), side="left")
    labels = np.concatenate([[np.nan], facts["told"].to_numpy(np.float64)])
    scores: npt.NDArray[np.float64] = labels[newest]
    return scores
