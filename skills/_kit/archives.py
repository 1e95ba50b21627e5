"""Earlier champions on the rows since a change: would one that was replaced serve better now?

They are measured on the first half of the time since the change, the newest rows of it; the second half is left to the judge.
The best of several looks better than it is: their intervals hold for all of them together (Bonferroni's correction).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from skills._kit.features import longest_reach_ms, unflagged
from skills._kit.frames import Floats, floats, integers, with_columns
from skills._kit.metrics import compared
from skills._kit.scoring import score_table
from skills._kit.sources import facts_of, keys_of, newest_known, shown
from streams.contracts.errors import BundleRefused, ContractError
from streams.inference.session import Scorer, load
from streams.inference.store import BundleStore
from streams.lake.lake import Lake

LEAST_ROWS: Final = 100
MOST_ROWS: Final = 5_000
"""So many of the newest rows are scored; no more are ever held, however long ago the change was."""

# For each bundle, since the tails that are looked at get thinner with their number.
DRAWS = 300


class ArchivedGain(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier champion: by how much it beats the present one in the metric, on the newest `rows` of `labelled` rows.

    The intervals of all `compared` bundles hold together with 95 %, so that who takes the best is as sure of it.
    """

    digest: str
    value: float
    low: float
    high: float
    rows: int
    labelled: int = 0
    compared: int = 1


class Newest(NamedTuple):
    """The newest labelled rows of a range, each once and as it is known by now, in order of time; and how many there are."""

    rows: pa.Table
    labelled: int


class Archive(NamedTuple):
    """Where to look: the lake, the bundles, and up to when."""

    lake: Lake
    store: BundleStore
    model: str
    now_ms: int


def gains_of(
    archive: Archive, champion: Scorer, earlier: Sequence[str], since_ms: int, *, delay_ms: float, seed: int
) -> list[ArchivedGain]:
    """Compare earlier champions with the present one; those that can't be loaded, or read something else, are left out.

    Args:
        archive: where they and the rows are.
        champion: the present one.
        earlier: digests, the newest first.
        since_ms: when the change began.
        delay_ms: how long most labels take.
        seed: of the bootstrap.

    Raises:
        LakeError: the rows can't be read.
    """
    last_ms = int(archive.now_ms - delay_ms)
    until_ms = last_ms - (last_ms - since_ms) // 2
    if until_ms <= since_ms:
        return []
    others = [scorer for digest in earlier if (scorer := _loaded(archive, digest)) is not None and _fits(scorer, champion)]
    recent = _recent(archive, [champion, *others], since_ms, until_ms) if others else None
    if recent is None or recent.rows.num_rows < LEAST_ROWS:
        return []
    labels, own = floats(recent.rows, "label"), score_table(champion, recent.rows)
    found = []
    for scorer in others:
        value, low, high = _gain(
            champion.manifest.schema.task, labels, (own, score_table(scorer, recent.rows)), seed, len(others)
        )
        if all(np.isfinite((value, low, high))):
            gain = ArchivedGain(
                digest=scorer.digest, value=value, low=low, high=high,
                rows=len(labels), labelled=recent.labelled, compared=len(others),
            )  # fmt: skip
            found.append(gain)
    return found


def surely_returned(found: Sequence[ArchivedGain]) -> ArchivedGain:
    """Return the one of them that is surely better by the most, one that is better by 0 when none is."""
    rows, compared = max(((one.rows, one.compared) for one in found), default=(0, 0))
    none = ArchivedGain(digest="", value=0.0, low=0.0, high=0.0, rows=rows, compared=compared)
    return max([none, *found], key=lambda one: one.low)


def _loaded(archive: Archive, digest: str) -> Scorer | None:
    try:
        return load(archive.store, archive.model, digest)
    except BundleRefused:
        return None


def _fits(scorer: Scorer, champion: Scorer) -> bool:
    """Whether the columns are the same, and the sources that its windows read are still there."""
    manifest, schema = scorer.manifest, champion.manifest.schema
    try:
        for window in manifest.windows:
            window.check(schema)
    except ContractError:
        return False
    return manifest.schema.reads_like(schema) and not manifest.is_stand_in


def _recent(archive: Archive, scorers: Sequence[Scorer], since_ms: int, until_ms: int) -> Newest | None:
    """Read the newest labelled rows of a range, with every window that a bundle reads; None where there are none."""
    manifest = scorers[0].manifest
    windows = list(dict.fromkeys(window for scorer in scorers for window in scorer.manifest.windows))
    keys = keys_of(windows)
    declared = [column.name for column in shown(archive.lake, archive.model, manifest.schema, keys).columns]
    wanted = ["id", "time_ms", "known_ms", "revision", *declared, "label", "flags"]
    found = newest_rows(archive, wanted, (since_ms, until_ms), keys, most=MOST_ROWS)
    if found is None or not windows:
        return found
    # Only as far back as these rows' windows reach.
    first_ms = int(integers(found.rows, "time_ms")[0]) - longest_reach_ms(windows, manifest.skew_ms)
    facts = facts_of(
        archive.lake,
        archive.model,
        manifest.schema,
        manifest.skew_ms,
        since_ms=max(0, first_ms),
        until_ms=until_ms,
        keys=keys,
    )
    values = list(facts.columns(windows, found.rows).T)
    return found._replace(rows=with_columns(found.rows, [window.name for window in windows], values))


def newest_rows(
    archive: Archive, columns: Sequence[str], span: tuple[int, int], keys: Collection[str] = (), *, most: int
) -> Newest | None:
    """Read the newest labelled rows that were asked in a span of event time; None where there are none.

    Which these are depends on the rows alone, and not on the files in which they lie.

    Args:
        archive: where the rows are, and up to when a label is known.
        columns: which, `id`, `time_ms`, `known_ms`, `revision` and `flags` among them.
        span: event times [since, until).
        keys: columns to group by.
        most: how many of them.

    Raises:
        LakeError: they can't be read.
    """
    kept: pa.Table | None = None
    from_ms, labelled = span[0], 0
    for part in archive.lake.scan(archive.model, "outcomes", columns, since_ms=span[0], until_ms=span[1], keys=keys):
        sound = unflagged(part)
        known = integers(sound, "known_ms") < archive.now_ms
        labelled += int((known & (integers(sound, "revision") == 0)).sum())
        fresh = sound.filter(pa.array(known & (integers(sound, "time_ms") >= from_ms)))
        if not fresh.num_rows:
            continue
        # A correction has the time of its row: it comes to the same place, or is as old as what was left out already.
        once = newest_known(fresh if kept is None else pa.concat_tables([kept, fresh]), archive.now_ms)
        ordered = once.sort_by([("time_ms", "ascending"), ("id", "ascending")])
        kept = ordered.slice(max(0, ordered.num_rows - most)).combine_chunks()
        if kept.num_rows == most:
            from_ms = int(integers(kept, "time_ms")[0])
    return None if kept is None else Newest(kept, labelled)


def _gain(task: str, labels: Floats, scores: tuple[Floats, Floats], seed: int, comparisons: int) -> tuple[float, float, float]:
    """Return by how much the second scores are better, with the interval."""
    *_, found = compared(task, labels, *scores, seed=seed, draws=DRAWS * comparisons, comparisons=comparisons)
    return (found.value, found.low, found.high) if task == "binary" else (-found.value, -found.high, -found.low)
