"""A batch of decoded requests to scores, flags and shadows. Pure computing: it runs in a thread."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import structlog
from numpy.typing import NDArray

from streams.contracts.records import CHAMPION, ShadowScore
from streams.contracts.schema import ModelSchema
from streams.dialects.base import Row
from streams.inference.session import Scorer
from streams.serving.slots import Share
from streams.serving.suspicion import Suspicion

logger = structlog.get_logger(__name__)

Columns = Mapping[str, Any]


class Batch(NamedTuple):
    """Requests as columns, in offset order."""

    times: list[int]
    columns: Columns
    windows: Columns


class Answers(NamedTuple):
    """The champion's score of each row (NaN where it failed); by row number, shadow scores where there are any."""

    scores: list[float]
    shadows: Mapping[int, list[ShadowScore]]
    shadow_failures: int


def as_columns(schema: ModelSchema, rows: Sequence[Row]) -> dict[str, Any]:
    """Turn rows into columns of all declared names: float64 arrays with NaN for null, or lists of strings and None."""
    # Column by column, not row by row: a tuple per row would be one more object for the garbage collector to visit.
    features = [row.features for row in rows]
    columns: dict[str, Any] = {}
    for column in schema.columns:
        values = list(map(operator.attrgetter(column.name), features))
        columns[column.name] = np.array(values, np.float64) if column.kind == "number" else values
    return columns


def flags_of(columns: Columns, shares: Sequence[Share], suspicions: Mapping[str, Suspicion]) -> dict[int, list[str]]:
    """Return the flags of the rows that the bounds of their champion make suspect, by row number."""
    flags: dict[int, list[str]] = {}
    for share in shares:
        part = columns if len(shares) == 1 else _part(columns, share.rows.tolist())
        found = suspicions[share.deployment.champion].flags(part, len(share.rows))
        flags |= {int(share.rows[row]): marks for row, marks in found.items()}
    return flags


def answer(batch: Batch, shares: Sequence[Share], ready: Mapping[str, Scorer]) -> Answers:
    """Score every row with the champion of its deployment, and with the shadows that are ready.

    A shadow that fails is left out of the rows of its share; it never harms the champion.

    Args:
        batch: the rows.
        shares: which deployment answers which of them.
        ready: loaded bundles by digest, as they were when the batch began.
    """
    rows = len(batch.times)
    scores = np.empty(rows, np.float64)
    shadows: dict[int, list[ShadowScore]] = {}
    failures = 0
    for share in shares:
        part = batch if len(share.rows) == rows else _selected(batch, share.rows)
        own = _champion_scores(ready[share.deployment.champion], part)
        scores[share.rows] = own
        failures += _add_shadows(share, part, ready, {share.deployment.champion: own.tolist()}, shadows)
    return Answers(scores.tolist(), shadows, failures)


def _selected(batch: Batch, rows: NDArray[np.intp]) -> Batch:
    which = rows.tolist()
    return Batch([batch.times[row] for row in which], _part(batch.columns, which), _part(batch.windows, which))


def _part(columns: Columns, rows: list[int]) -> Columns:
    return {name: _at(values, rows) for name, values in columns.items()}


def _at(values: Any, rows: list[int]) -> Any:
    return values[rows] if isinstance(values, np.ndarray) else [values[row] for row in rows]


def _champion_scores(scorer: Scorer, part: Batch) -> NDArray[np.float64]:
    try:
        return scorer.score(part.columns, part.windows, part.times).astype(np.float64)
    except Exception as error:  # noqa: BLE001 - whatever the runtime raises: find the rows it can't take
        logger.warning("ChampionFailed", digest=scorer.digest, rows=len(part.times), error=str(error)[:300])
    return np.array([_single_score(scorer, part, row) for row in range(len(part.times))])


def _single_score(scorer: Scorer, part: Batch, row: int) -> float:
    one = _selected(part, np.array([row]))
    try:
        return float(scorer.score(one.columns, one.windows, one.times)[0])
    except Exception:  # noqa: BLE001 - this row goes to quarantine as not_scored
        return float("nan")


def _add_shadows(
    share: Share,
    part: Batch,
    ready: Mapping[str, Scorer],
    scored: dict[str, list[float]],
    shadows: dict[int, list[ShadowScore]],
) -> int:
    """Add the scores of a share's shadows; `scored` holds those of bundles that were asked already: each is asked once."""
    failures = 0
    for slot in share.deployment.active:
        scorer = ready.get(slot.digest)
        if slot.name == CHAMPION or scorer is None:
            continue
        try:
            if slot.digest not in scored:
                scored[slot.digest] = scorer.score(part.columns, part.windows, part.times).tolist()
        except Exception as error:  # noqa: BLE001 - a shadow is never worth the champion's answer
            failures += 1
            logger.warning("ShadowFailed", slot=slot.name, digest=slot.digest, error=str(error)[:300])
            continue
        for row, score in zip(share.rows.tolist(), scored[slot.digest], strict=True):
            if score == score:  # noqa: PLR0124 - only NaN differs from itself
                shadows.setdefault(row, []).append(ShadowScore(slot.name, slot.digest, score))
    return failures
