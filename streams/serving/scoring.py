"""A batch of requests to scores and flags. Pure computing: it runs in a thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import structlog
from numpy.typing import NDArray

from streams.contracts.canary import takes
from streams.contracts.records import CANARY, CHAMPION, Canary, ShadowScore
from streams.inference.session import Scorer
from streams.serving.rows import Batch, Columns, part
from streams.serving.shadows import Scores, Shadows
from streams.serving.slots import Share
from streams.serving.suspicion import Suspicion

logger = structlog.get_logger(__name__)


class Answers(NamedTuple):
    """The score that each row is answered with (NaN where there is none); by row number, shadow scores where there are any.

    `canaried` are the numbers of the rows that their deployment's canary answers. `failed` counts the shadows and canaries that
    couldn't score their share, `dropped` the scores of shadows that were left out, by reason.
    """

    scores: list[float]
    shadows: Mapping[int, list[ShadowScore]]
    canaried: frozenset[int]
    failed: int
    dropped: Mapping[str, int]


def flags_of(columns: Columns, shares: Sequence[Share], suspicions: Mapping[str, Suspicion]) -> dict[int, list[str]]:
    """Return the flags of the rows that the bounds of their champion make suspect, by row number."""
    flags: dict[int, list[str]] = {}
    for share in shares:
        own = columns if len(shares) == 1 else part(columns, share.rows.tolist())
        found = suspicions[share.deployment.champion].flags(own, len(share.rows))
        flags |= {int(share.rows[row]): marks for row, marks in found.items()}
    return flags


class Answering:
    """The bundles that answer one batch.

    Args:
        ready: loaded bundles by digest, as they were when the batch began. Held here, a bundle that is let go of meanwhile
            lives on until the last batch that began with it has ended.
        shadows: where the partition's shadows score.
        is_lagging: whether requests wait in numbers: shadows then give way.
    """

    def __init__(self, ready: Mapping[str, Scorer], shadows: Shadows, *, is_lagging: bool = False) -> None:
        self._ready = ready
        self._beside = shadows
        self._is_lagging = is_lagging
        self._shadows: dict[int, list[ShadowScore]] = {}
        self._canaried: set[int] = set()
        self._failed = 0
        self._dropped: Counter[str] = Counter()

    def answer(self, batch: Batch, shares: Sequence[Share]) -> Answers:
        """Score every row with the champion of its deployment, with its canary and with the shadows that are ready.

        Where another server has answered, its answers are the champion's scores, and there is no canary. What only imitates a
        model scores nothing.

        A row that the canary takes is answered with its score, unless it has none: then the champion answers. What the other of
        the two says is kept beside the shadows', so that both can be compared on all rows. Canaries and shadows that fail are
        left out of their share; they never harm the champion.

        Args:
            batch: the rows; with keys, wherever a deployment has a canary.
            shares: which deployment answers which of them.
        """
        scores = np.empty(len(batch.times), np.float64)
        for share in shares:
            own = batch if len(share.rows) == len(batch.times) else batch.part(share.rows.tolist())
            scores[share.rows] = self._share(share, own)
        return Answers(scores.tolist(), self._shadows, frozenset(self._canaried), self._failed, self._dropped)

    def _share(self, share: Share, batch: Batch) -> Scores:
        deployment = share.deployment
        answering = {deployment.champion, deployment.canary.digest if deployment.canary is not None else ""}
        beside = [
            scorer
            for digest in deployment.digests
            if digest not in answering and (scorer := self._ready.get(digest)) is not None and not scorer.manifest.is_stand_in
        ]
        asked = self._beside.ask(beside, batch, is_lagging=self._is_lagging)
        champion = _champion_scores(self._ready[deployment.champion], batch) if batch.scores is None else batch.scores
        scored = {deployment.champion: champion}
        canary = deployment.canary if batch.scores is None else None
        answers = champion if canary is None else self._canary(canary, share, batch, scored)
        found = self._beside.found(asked)
        self._failed += found.failed
        if found.dropped:
            self._dropped[found.dropped] += len(beside) * len(batch.times)
        scored |= found.scores
        for slot in deployment.active:
            if slot.name != CHAMPION and slot.digest in scored:
                self._add(slot.name, slot.digest, share.rows, scored[slot.digest])
        return answers

    def _canary(self, canary: Canary, share: Share, batch: Batch, scored: dict[str, Scores]) -> Scores:
        """Return the answers of a share that a champion, whose scores are in `scored`, has together with a canary."""
        champion = scored[share.deployment.champion]
        scorer = self._ready.get(canary.digest)
        if scorer is None:
            return champion
        try:
            if scorer.digest not in scored:
                scored[scorer.digest] = scorer.score(batch.columns, batch.windows, batch.times).astype(np.float64)
        except Exception as error:  # noqa: BLE001 - whatever the runtime raises: the champion answers
            logger.warning("CanaryFailed", digest=scorer.digest, rows=len(batch.times), error=str(error)[:300])
            self._failed += 1
            return champion
        own = scored[scorer.digest]
        taken = np.array([takes(canary, *key) for key in batch.keys], bool) & np.isfinite(own)
        self._canaried.update(share.rows[taken].tolist())
        self._add(CANARY, scorer.digest, share.rows[~taken], own[~taken])
        self._add(CHAMPION, share.deployment.champion, share.rows[taken], champion[taken])
        return np.where(taken, own, champion)

    def _add(self, name: str, digest: str, rows: NDArray[np.intp], scores: Scores) -> None:
        """Note what a bundle says of rows beside the one that answers them."""
        known = np.isfinite(scores)
        for row, score in zip(rows[known].tolist(), scores[known].tolist(), strict=True):
            self._shadows.setdefault(row, []).append(ShadowScore(name, digest, score))


def _champion_scores(scorer: Scorer, batch: Batch) -> Scores:
    try:
        return scorer.score(batch.columns, batch.windows, batch.times).astype(np.float64)
    except Exception as error:  # noqa: BLE001 - whatever the runtime raises: find the rows it can't take
        logger.warning("ChampionFailed", digest=scorer.digest, rows=len(batch.times), error=str(error)[:300])
    return np.array([_single_score(scorer, batch.part([row])) for row in range(len(batch.times))])


def _single_score(scorer: Scorer, row: Batch) -> float:
    try:
        return float(scorer.score(row.columns, row.windows, row.times)[0])
    except Exception:  # noqa: BLE001 - this row goes to quarantine as not_scored
        return float("nan")
