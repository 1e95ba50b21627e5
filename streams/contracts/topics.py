"""The one table of topics: names, keys, partitions, retention, compaction.

A user's own topics (`requests`, `labels`, `predictions`, `outcomes`) may carry other names by config; what starts with
`driftwake.` is ours. Kafka's time retention goes by the record timestamp, so all of ours are LogAppendTime: a replay
of old data would otherwise be deleted at once. Event time lives in the records.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Partitions = Literal["input", "one"]
DAY_MS = 86_400_000


class TopicKind(msgspec.Struct, frozen=True, kw_only=True):
    """How topics of one kind are made.

    `partitions` is `input` (as many as the model's requests topic) or `one`; `key` says what the record key is; `is_written` is
    false where only others write, apart from single records.
    """

    pattern: str
    key: str
    partitions: Partitions = "one"
    compacted: bool = False
    retention_ms: int = 7 * DAY_MS
    per_model: bool = True
    is_written: bool = True


TABLE: dict[str, TopicKind] = {
    "requests": TopicKind(pattern="{model}.requests", key="the user's", partitions="input", is_written=False),
    "labels": TopicKind(pattern="{model}.labels", key="the user's", partitions="input", is_written=False),
    # Where a model is served elsewhere: its requests and answers by id, and both together.
    "paired": TopicKind(pattern="driftwake.{model}.paired", key="request id", partitions="input"),
    "answered": TopicKind(pattern="driftwake.{model}.answered", key="the request's", partitions="input"),
    "predictions": TopicKind(pattern="{model}.predictions", key="the request's", partitions="input", retention_ms=30 * DAY_MS),
    "outcomes": TopicKind(pattern="{model}.outcomes", key="prediction id", partitions="input", retention_ms=30 * DAY_MS),
    # The join's memory is folded again from these, so they must outlive the longest label horizon.
    "join_predictions": TopicKind(
        pattern="driftwake.{model}.join.predictions", key="prediction id", partitions="input", retention_ms=100 * DAY_MS
    ),
    "join_labels": TopicKind(
        pattern="driftwake.{model}.join.labels", key="prediction id", partitions="input", retention_ms=100 * DAY_MS
    ),
    # One partition per task, only the newest record of each is ever read. Compacted, for with a retention a task that had
    # nothing to do for that long would lose its position.
    "state": TopicKind(pattern="driftwake.{model}.state.{stage}", key="task", partitions="input", compacted=True),
    "summaries": TopicKind(pattern="driftwake.{model}.summaries", key="bundle, route, slice, bucket, partition", compacted=True),
    "events": TopicKind(pattern="driftwake.events", key="model", per_model=False, retention_ms=90 * DAY_MS),
    "deployments": TopicKind(pattern="driftwake.deployments", key="model", compacted=True, per_model=False),
    "workers": TopicKind(pattern="driftwake.workers", key="stage, model, partition", compacted=True, per_model=False),
    "operations": TopicKind(pattern="driftwake.operations", key="model", per_model=False, retention_ms=90 * DAY_MS),
    "commands": TopicKind(pattern="driftwake.commands", key="model", per_model=False, retention_ms=30 * DAY_MS),
    "audit": TopicKind(pattern="driftwake.audit", key="chain", per_model=False, retention_ms=-1),
    "quarantine": TopicKind(pattern="driftwake.quarantine", key="model", per_model=False, retention_ms=30 * DAY_MS),
}


def topic_name(kind: str, model: str = "", stage: str = "") -> str:
    """Name the topic of `kind`.

    Raises:
        KeyError: the table has no such kind.
    """
    return TABLE[kind].pattern.format(model=model, stage=stage)
