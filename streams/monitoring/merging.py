"""Adding up the summaries of all partitions: integers only, so the order and the number of partitions change nothing."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from streams.contracts.bundle import Profile
from streams.contracts.errors import ContractError
from streams.contracts.summaries import SCORE_BINS, CategoryCounts, InputSummary, LossSummary, NumberCounts, SliceLosses
from streams.detectors.base import BucketView
from streams.statistics.contents import Content, merged

_NO_LOSSES = SliceLosses(rows=0, loss=0, loss_squares=0)


def merge_inputs(parts: Sequence[InputSummary], sample_rows: int) -> InputSummary:
    """Merge the summaries of one bucket and bundle, at least one, in partition order.

    The smallest hashes of all partitions are a fair sample of the bucket, as each partition's smallest are of the partition.

    Raises:
        ContractError: they were counted on different references.
    """
    ordered = sorted(parts, key=lambda part: part.partition)
    first = ordered[0]
    rows = heapq.merge(*(part.sample for part in ordered), key=lambda row: row[0])
    return msgspec.structs.replace(
        first,
        rows=sum(part.rows for part in ordered),
        late=sum(part.late for part in ordered),
        suspect=sum(part.suspect for part in ordered),
        rejected=sum(part.rejected for part in ordered),
        numbers={name: _numbers([part.numbers[name] for part in ordered]) for name in _names(part.numbers for part in ordered)},
        categories={
            name: _categories([part.categories[name] for part in ordered]) for name in _names(part.categories for part in ordered)
        },
        score=_numbers([part.score for part in ordered]),
        sample=[row for row, _ in zip(rows, range(sample_rows), strict=False)],
        contents=_contents(ordered),
        waits=_counts([(part.rows, part.waits) for part in ordered]),
        arrivals=_counts([(part.rows, part.arrivals) for part in ordered]),
    )


def merge_losses(parts: Sequence[LossSummary]) -> LossSummary:
    """Merge the summaries of one bucket, slot and bundle, at least one.

    Raises:
        ContractError: they have different numbers of bins.
    """
    ordered = sorted(parts, key=lambda part: part.partition)
    return msgspec.structs.replace(
        ordered[0],
        rows=sum(part.rows for part in ordered),
        late=sum(part.late for part in ordered),
        loss=sum(part.loss for part in ordered),
        loss_squares=sum(part.loss_squares for part in ordered),
        brier=sum(part.brier for part in ordered),
        delay_ms=sum(part.delay_ms for part in ordered),
        positives=_sums([part.positives for part in ordered]),
        negatives=_sums([part.negatives for part in ordered]),
        slices=_slices([part.slices for part in ordered]),
        labels=_whole([part.labels for part in ordered]),
        label_squares=_whole([part.label_squares for part in ordered]),
        scores=_whole([part.scores for part in ordered]),
        cohorts=_cohorts(ordered),
    )


def check_bins(view: BucketView, profile: Profile) -> None:
    """Check that a bucket was counted on a bundle's reference.

    Raises:
        ContractError: it has other bins.
    """
    if view.inputs is not None:
        counted = {"score": (view.inputs.score, profile.score)}
        counted |= {
            name: (counts, profile.numbers[name]) for name, counts in view.inputs.numbers.items() if name in profile.numbers
        }
        for name, (counts, number) in counted.items():
            if len(counts.bins) != len(number.edges) + 1:
                raise ContractError(f"{name} was counted in {len(counts.bins)} bins, the reference has {len(number.edges) + 1}")
    if view.losses is not None and {len(view.losses.positives), len(view.losses.negatives)} - {SCORE_BINS, 0}:
        raise ContractError(f"scores by label were counted in other than {SCORE_BINS} bins")


def _names(parts: Iterable[Mapping[str, object]]) -> list[str]:
    """Names that every part has, in the first part's order."""
    first, *others = list(parts)
    if any(other.keys() != first.keys() for other in others):
        raise ContractError("summaries of one bucket and bundle name different columns")
    return list(first)


def _numbers(parts: Sequence[NumberCounts]) -> NumberCounts:
    return NumberCounts(
        bins=_sums([part.bins for part in parts]),
        missing=sum(part.missing for part in parts),
        low=sum(part.low for part in parts),
        high=sum(part.high for part in parts),
        least=min((part.least for part in parts if part.least is not None), default=None),
        most=max((part.most for part in parts if part.most is not None), default=None),
    )


def _categories(parts: Sequence[CategoryCounts]) -> CategoryCounts:
    names = sorted({name for part in parts for name in part.counts})
    return CategoryCounts(
        counts={name: sum(part.counts.get(name, 0) for part in parts) for name in names},
        missing=sum(part.missing for part in parts),
        unseen=sum(part.unseen for part in parts),
    )


def _contents(parts: Sequence[InputSummary]) -> list[Content]:
    """Contents of all partitions; nothing where one of them, of an older version, doesn't know of its own."""
    if any(part.rows > part.suspect and not part.contents for part in parts):
        return []
    return merged(part.contents for part in parts)


def _counts(parts: Sequence[tuple[int, list[int]]]) -> list[int]:
    """Add up the counts of rows; nothing where a part has rows and doesn't know of its own."""
    known = [counts for rows, counts in parts if rows]
    return _sums(known) if all(known) else []


def _sums(lists: Sequence[list[int]]) -> list[int]:
    if len({len(one) for one in lists}) > 1:
        raise ContractError("summaries of one bucket and bundle have different bins")
    return [sum(column) for column in zip(*lists, strict=True)]


def _whole(sums: Sequence[int | None]) -> int | None:
    """Add up; None where a part of an older version lacks its sum."""
    known = [one for one in sums if one is not None]
    return sum(known) if len(known) == len(sums) else None


def _cohorts(parts: Sequence[LossSummary]) -> list[tuple[int, int]]:
    """Add up by cohort; nothing where a part has outcomes and doesn't know of which requests."""
    if any(part.rows and not part.cohorts for part in parts):
        return []
    found: Counter[int] = Counter()
    for part in parts:
        found.update(dict(part.cohorts))
    return sorted(found.items())


def _slices(parts: Sequence[Mapping[str, SliceLosses]]) -> dict[str, SliceLosses]:
    merged: dict[str, SliceLosses] = {}
    for part in parts:
        for name, one in part.items():
            before = merged.get(name, _NO_LOSSES)
            merged[name] = SliceLosses(
                rows=before.rows + one.rows, loss=before.loss + one.loss, loss_squares=before.loss_squares + one.loss_squares
            )
    return merged
