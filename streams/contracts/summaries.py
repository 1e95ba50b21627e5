"""Mergeable summaries: what `measuring` says of one bucket and partition, and `monitoring` adds up.

All counts are integers and all sums are integers in fixed point (`FIXED` units per 1.0), so that a sum doesn't depend on
the order, the number of partitions or a restart.
"""

from __future__ import annotations

import msgspec

FIXED = 1_000_000
SCORE_BINS = 200
SAMPLED_SCORE = "dw:score"
"""The champion's score in a sampled row. No column can have this name: it isn't an identifier."""
RECEIVED, ANSWERED = "dw:received_ms", "dw:answered_ms"
"""When the broker got a request and its prediction, as columns of a log's rows; no column can have these names either."""


class NumberCounts(msgspec.Struct, kw_only=True):
    """Counts on the reference's quantile bins; `low` and `high` count values outside the reference's range.

    `least` and `most` are the extremes of the values, None where there is none or nobody looked.
    """

    bins: list[int]
    missing: int = 0
    low: int = 0
    high: int = 0
    least: float | None = None
    most: float | None = None


class CategoryCounts(msgspec.Struct, kw_only=True):
    """Counts of the reference's categories; `unseen` counts all others."""

    counts: dict[str, int]
    missing: int = 0
    unseen: int = 0


class InputSummary(msgspec.Struct, kw_only=True, tag="inputs"):
    """Requests of one bucket of event time, as scored by the champion `digest`. `sample` holds bottom-k rows by a keyed hash.

    `sample` rows are `[hash, {column: value}]`, smallest hashes first, at most the configured number; windows and the score
    (`SAMPLED_SCORE`) are among the columns. `late` counts rows that came for buckets which were closed already; suspect and late
    rows are in no distribution. `contents` says how many rows are alike in all declared columns (see
    `streams/statistics/contents.py`), empty where nobody looked. `rejected` counts the records that went to quarantine before
    these rows, and before the late ones, and after the row before them in their partition. `waits` counts how long the rows'
    answers took (see `streams/statistics/waits.py`), `arrivals` how far their event times lay behind their arrival (see
    `streams/statistics/arrivals.py`), both empty where nobody looked.
    """

    model: str
    digest: str
    partition: int
    bucket_start_ms: int
    bucket_end_ms: int
    rows: int
    late: int = 0
    suspect: int = 0
    rejected: int = 0
    numbers: dict[str, NumberCounts] = {}
    categories: dict[str, CategoryCounts] = {}
    score: NumberCounts
    sample: list[tuple[int, dict[str, float | str | None]]] = []
    contents: list[tuple[int, int]] = []
    waits: list[int] = []
    arrivals: list[int] = []


class SliceLosses(msgspec.Struct, kw_only=True):
    """Outcomes of one slice: how many, and their losses as in `LossSummary`."""

    rows: int
    loss: int
    loss_squares: int


class LossSummary(msgspec.Struct, kw_only=True, tag="losses"):
    """Outcomes that became known in one bucket, for one slot (`champion` or a shadow) and the bundle that scored them.

    `positives[i]` and `negatives[i]` count the rows by label whose score lies in the i-th of `SCORE_BINS` equal bins of
    [0, 1]: AUC, calibration and any threshold metric follow from them. `loss` is log loss for binary and squared error
    for regression, `brier` squared error; both in fixed point. `delay_ms` sums request-to-known delays. `late` counts outcomes
    that came for buckets which were closed already; they are in nothing else. For regression both lists are empty. `slices` are
    those that the bundle's profile declares, by name. `labels`, `label_squares` and `scores` sum up labels, their squares and
    scores in fixed point; they are None in summaries of before they were summed up. `cohorts` counts the champion's outcomes by
    the bucket in which their request came, as (begin, outcomes) in order, several buckets together where that is long ago (see
    `streams/statistics/cohorts.py`); empty where nobody asked.
    """

    model: str
    slot: str
    digest: str
    partition: int
    bucket_start_ms: int
    bucket_end_ms: int
    rows: int
    loss: int
    loss_squares: int
    brier: int
    delay_ms: int
    positives: list[int]
    negatives: list[int]
    late: int = 0
    slices: dict[str, SliceLosses] = {}
    labels: int | None = None
    label_squares: int | None = None
    scores: int | None = None
    cohorts: list[tuple[int, int]] = []


Summary = InputSummary | LossSummary
