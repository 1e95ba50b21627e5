"""Scores of rows that a model was made of: how well it does is better there than elsewhere, but the seasons are the same."""

from __future__ import annotations

import numpy as np

from skills._kit.frames import Floats, Integers
from streams.calibration.learning import History, levels_of
from streams.calibration.panel import Panel, joined
from streams.contracts.bundle import Profile
from streams.contracts.summaries import InputSummary
from streams.detectors.base import BucketView
from streams.statistics.counts import count_numbers


def seen_scores(panel: Panel, profile: Profile, time_ms: Integers, scores: Floats, bucket_ms: int) -> History | None:
    """Read scores as the monitors would have, bucket by bucket; NaN in all signals but theirs, None where nothing is to be read.

    The rows that a model hadn't seen when it was made may be of a few days, and then its first Sunday would be news.

    Args:
        panel: whose signals they are.
        profile: on whose bins is counted.
        time_ms: event times [n].
        scores: of these rows [n].
        bucket_ms: length of a bucket.
    """
    kinds = panel.summing("score_drift")
    if not len(scores) or not kinds:
        return None
    buckets, of = np.unique(time_ms // bucket_ms, return_inverse=True)
    counts, rows = count_numbers(profile.score, scores, of, len(buckets)), np.bincount(of).tolist()
    views = [
        _view(start_ms, start_ms + bucket_ms, InputSummary(
            model="", digest="", partition=0, bucket_start_ms=start_ms, bucket_end_ms=start_ms + bucket_ms, rows=held, score=score
        ))
        for start_ms, held, score in zip((buckets * bucket_ms).tolist(), rows, counts, strict=True)
    ]  # fmt: skip
    found = [joined([panel.read_one(kind, view if kind in kinds else None) for kind in panel.kinds]) for view in views]
    return levels_of(panel, views, found)


def as_served(unseen: Floats, fitted: Floats, generator: np.random.Generator) -> Floats:
    """Return scores as the model that serves spreads them, each row in the place that a model gave it which hadn't seen it [n].

    Fitted again on more rows, a model gives other scores, and where many lie close together hardly one is where it was. Of ten
    thousand rows or three thousand, its own scores of rows that it was fitted on are more like those of the next rows than the
    other model's are (in 36 of 43 ranges of five real files, by PSI); which rows have the high ones, they know too well.

    Args:
        unseen: scores by a model that hadn't seen these rows [n].
        fitted: scores of the same rows by the one that serves [n].
        generator: which of equal scores comes first.
    """
    served = np.empty_like(fitted)
    served[np.lexsort((generator.random(len(unseen)), unseen))] = np.sort(fitted)
    return served


def _view(start_ms: int, end_ms: int, inputs: InputSummary) -> BucketView:
    return BucketView(model="", digest="", start_ms=start_ms, end_ms=end_ms, inputs=inputs, losses=None)
