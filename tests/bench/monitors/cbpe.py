"""What NannyML estimates; run by `estimates.py` with the Python of an environment that has NannyML, which the product doesn't."""

from __future__ import annotations

import sys
from pathlib import Path

import nannyml
import pandas as pd


def estimated(rows: pd.DataFrame, size: int) -> pd.DataFrame:
    """Return the estimated area and accuracy of each whole chunk of the analysis, by confidence-based estimation's defaults."""
    known, later = (rows[rows.is_reference == flag].reset_index(drop=True) for flag in (True, False))
    estimator = nannyml.CBPE(
        y_pred_proba="score", y_pred="answer", y_true="label", metrics=["roc_auc", "accuracy"], chunk_size=size,
        problem_type="classification_binary",
    )  # fmt: skip
    # It gives the chunks that it was fitted on as well.
    found = estimator.fit(known).estimate(later).filter(period="analysis").to_df()
    columns = {"auc": found["roc_auc"]["value"], "accuracy": found["accuracy"]["value"]}
    return pd.DataFrame(columns)[: len(later) // size]


def main() -> int:
    """Estimate for each file `name.parquet` of a folder and write `name.size.csv`; sizes are the further arguments."""
    folder, sizes = Path(sys.argv[1]), [int(size) for size in sys.argv[2:]]
    for file in sorted(folder.glob("*.parquet")):
        for size in sizes:
            estimated(pd.read_parquet(file), size).to_csv(folder / f"{file.stem}.{size}.csv", index=False)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
