"""The topics of a config, made before any process starts: an administrator's step, by the one table."""

from __future__ import annotations

from streams.contracts.errors import TransportError
from streams.contracts.topics import TABLE, TopicKind, topic_name
from streams.settings import ModelSettings, StreamsSettings
from streams.transport.admin import ensure_topics, topic_partitions

_STATES = ("serving", "joining", "measuring")
_OF_MODEL = ("requests", "predictions", "outcomes", "join_predictions", "join_labels", "summaries")


async def make_topics(settings: StreamsSettings, bootstrap: str) -> None:
    """Create what is missing and check what is there.

    Raises:
        TransportError: no broker answers, or a topic has another number of partitions than the config says.
    """
    await ensure_topics(bootstrap, {topic_name(name): kind for name, kind in TABLE.items() if not kind.per_model}, 1)
    for model in settings.models:
        label_partitions = await _labels(model, bootstrap)
        await ensure_topics(bootstrap, _topics_of(model), model.partitions)
        # Rekeying has a task for each partition of either input, monitoring has one for all.
        for stage, tasks in (("rekeying", model.partitions + label_partitions), ("monitoring", 1)):
            await ensure_topics(bootstrap, {model.topic("state", stage): TABLE["state"]}, tasks)


def _topics_of(model: ModelSettings) -> dict[str, TopicKind]:
    states = {model.topic("state", stage): TABLE["state"] for stage in _STATES}
    return {model.topic(name): TABLE[name] for name in _OF_MODEL} | states


async def _labels(model: ModelSettings, bootstrap: str) -> int:
    """A user's labels topic may have any number of partitions; ours has as many as the requests."""
    topic = model.topic("labels")
    try:
        return await topic_partitions(bootstrap, topic)
    except TransportError:
        await ensure_topics(bootstrap, {topic: TABLE["labels"]}, model.partitions)
        return model.partitions
