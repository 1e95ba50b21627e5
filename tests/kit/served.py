"""Orders that a trained model has served, and what the diagnosis makes of them when some of it is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skills import build_dataset, diagnose_drift, train_xgboost
from skills._kit.scoring import score_table
from streams.contracts.events import DriftEvent, Evidence
from streams.inference.session import load
from streams.inference.store import BundleStore
from tests.kit.shops import DAY_MS, HOUR_MS, MODEL, SKEW_MS, Orders, into_lake, orders, serve


class Served(NamedTuple):
    """Orders of which the first 15 days trained a model that has served all of them."""

    given: Orders
    common: dict[str, Any]
    scores: np.ndarray
    folder: Path


def served_in(folder: Path) -> Served:
    """Train and serve."""
    given = orders(5_000, 9)
    into_lake(given, folder / "history")
    common = {"lake": str(folder / "history"), "registry": str(folder / "registry"), "model": MODEL}
    first = {"schema": given.schema, "skew_ms": SKEW_MS}
    until = given.end_ms - 5 * DAY_MS
    data = build_dataset.run(
        build_dataset.Input(**common, **first, until_ms=until, train_ms=15 * DAY_MS, sealed_ms=HOUR_MS), folder
    )
    digest = train_xgboost.run(train_xgboost.Input(**common, **first, train=data.train, parameters={"rounds": 40}), folder).digest
    scores = score_table(load(BundleStore(folder / "registry"), MODEL, digest), given.table)
    return Served(given, {**common, "champion": digest}, scores, folder)


def diagnosed(served: Served, tmp_path: Path, events: tuple[str, ...] = (), **changed: Any) -> diagnose_drift.Output:
    """Serve the orders with some columns changed, and diagnose events of some kinds.

    `since_ms` is when the events say that it began, `bucket_ms` how long their buckets are, `deployed_ms` when the champion took
    over, and `digest` who served, if not the champion. `recent_ms` and `recent_rows` are as the skill takes them.
    """
    scores, detector = changed.pop("score", served.scores), changed.pop("detector", "d")
    asked = {"deployed_ms": changed.pop("deployed_ms", None), "recent_rows": changed.pop("recent_rows", 0)}
    asked["recent_ms"] = changed.pop("recent_ms", 4 * DAY_MS)
    since_ms, bucket_ms = changed.pop("since_ms", None), changed.pop("bucket_ms", DAY_MS)
    serve(served.given, tmp_path / "lake", scores, changed.pop("digest", served.common["champion"]), **changed)
    end = served.given.end_ms
    evidence = () if since_ms is None else (evidence_of(since_ms),)
    stated = [
        DriftEvent(
            id=kind, kind=kind, transition="confirmed", model=MODEL, digest=served.common["champion"], detector=detector,
            time_ms=end, bucket_start_ms=end - bucket_ms, bucket_end_ms=end, rows=9, evidence=evidence,
        )
        for kind in events
    ]  # fmt: skip
    asked |= {**served.common, "lake": str(tmp_path / "lake"), "now_ms": end, "events": stated}
    return diagnose_drift.run(diagnose_drift.Input(**asked), tmp_path)


def evidence_of(since_ms: int) -> Evidence:
    """Evidence that begins then."""
    return Evidence(watched="amount", method="mean", p_value=0.001, effect=1.0, effect_unit="sd", since_ms=since_ms)


def late(served: Served, days: float = 4) -> np.ndarray:
    """Which rows are of the last days."""
    return served.given.table["time_ms"].to_numpy() >= served.given.end_ms - days * DAY_MS
