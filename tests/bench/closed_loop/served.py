"""What each policy answered, from the lake: scores of every request, beside the truth that the scenario knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streams.lake.lake import Lake
from tests.bench.closed_loop.setting import MODEL

_COLUMNS = ("id", "time_ms", "score", "digest", "flags", "shadows")


class Shadows(NamedTuple):
    """Scores of shadows [scores]: the request's place, the slot's name, the bundle's digest, the score."""

    place: NDArray[np.int64]
    name: NDArray[np.object_]
    digest: NDArray[np.object_]
    score: NDArray[np.float64]

    def spread(self, rows: int, mine: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return some of the scores by request, NaN where there is none [rows]."""
        scores = np.full(rows, np.nan)
        scores[self.place[mine]] = self.score[mine]
        return scores


class Served(NamedTuple):
    """Requests in order of (time, id): the truth (NaN: unknown), each policy's score (NaN: none), the champion's digest.

    `place` is where the request stands in the scenario's table. `flagged` are the rows that were held out of windows and
    training. `shadows` are all scores of shadows, one row each: the request's place here, the bundle's digest and its score.
    """

    place: NDArray[np.int64]
    time_ms: NDArray[np.int64]
    label: NDArray[np.float64]
    scores: dict[str, NDArray[np.float64]]
    digests: NDArray[np.object_]
    flagged: NDArray[np.bool_]
    shadows: Shadows

    def by(self, digest: str, champion: str) -> NDArray[np.float64]:
        """Return what a bundle answered, as the champion or as a shadow in any slot, NaN where it was in none [requests].

        Args:
            digest: the bundle's.
            champion: the policy that the champion's own scores belong to.
        """
        return np.where(self.digests == digest, self.scores[champion], self.of_bundle(digest))

    def of_bundle(self, digest: str) -> NDArray[np.float64]:
        """Return what a bundle answered as a shadow in any slot, NaN where it was in none [requests]."""
        return self.shadows.spread(len(self.time_ms), self.shadows.digest == digest)


def read_served(lake: Lake, rows: pd.DataFrame, *, champion: str, slots: Sequence[str], since_ms: int, until_ms: int) -> Served:
    """Read the predictions with event time in [since, until).

    Args:
        lake: the replay's.
        rows: the scenario's, with `id` and `label`.
        champion: the policy that the champion's own scores belong to.
        slots: policies whose scores are shadows.

    Raises:
        ValueError: a prediction answers no request of the scenario.
    """
    found = lake.read(MODEL, "predictions", _COLUMNS, since_ms=since_ms, until_ms=until_ms)
    found = found.filter(pc.not_equal(found.column("digest"), "")).sort_by([("time_ms", "ascending"), ("id", "ascending")])
    ids = found.column("id").to_pandas()
    place = pd.Index(rows["id"]).get_indexer(ids).astype(np.int64)
    if (place < 0).any():
        raise ValueError(f"{(place < 0).sum()} predictions answer no request of the scenario")
    scores = {champion: found.column("score").to_numpy().astype(np.float64)} if champion else {}
    shadows = _shadows(found.column("shadows").combine_chunks())
    scores |= {slot: shadows.spread(len(ids), shadows.name == slot) for slot in slots}
    return Served(
        place=place,
        time_ms=found.column("time_ms").to_numpy().astype(np.int64),
        label=rows["label"].to_numpy(np.float64)[place],
        scores=scores,
        digests=_texts(found.column("digest").combine_chunks()),
        flagged=pc.greater(pc.list_value_length(found.column("flags")), 0).to_numpy().astype(bool),
        shadows=shadows,
    )


def _shadows(lists: pa.Array) -> Shadows:
    flat = pc.list_flatten(lists)
    name, digest = (_texts(pc.struct_field(flat, part)) for part in ("name", "digest"))
    score = pc.struct_field(flat, "score").to_numpy(zero_copy_only=False)
    return Shadows(pc.list_parent_indices(lists).to_numpy().astype(np.int64), name, digest, score)


def _texts(column: pa.Array) -> NDArray[np.object_]:
    """Return a column of few different texts [rows]; each is made once."""
    coded = column.dictionary_encode()
    return np.array(coded.dictionary.to_pylist(), object)[coded.indices.to_numpy()]
