"""The topics of a config, made before any process starts: an administrator's step, by the one table."""

from __future__ import annotations

from streams.contracts.errors import TransportError
from streams.contracts.topics import TABLE, TopicKind, topic_name
from streams.model import ModelSettings
from streams.settings import StreamsSettings
from streams.transport.admin import ensure_topics, topic_partitions

_STATES = ("serving", "joining", "measuring")
_OF_MODEL = ("requests", "predictions", "outcomes", "join_predictions", "join_labels", "summaries")
_OF_SIDECAR = ("paired", "answered")


async def make_topics(settings: StreamsSettings, bootstrap: str) -> None:
    """Create what is missing and check what is there.

    Raises:
        TransportError: no broker answers, or a topic has another number of partitions than the config says.
    """
    await ensure_topics(bootstrap, {topic_name(name): kind for name, kind in TABLE.items() if not kind.per_model}, 1)
    for model in settings.models:
        await ensure_topics(bootstrap, _topics_of(model), model.partitions)
        # Who reads two topics has a task for each partition of either, and monitoring has one for all.
        tasks = {"rekeying": model.partitions + await _foreign(model.topic("labels"), model, bootstrap), "monitoring": 1}
        if model.sidecar is not None:
            responses = model.sidecar.responses
            has_own = responses not in {None, model.topic("requests")}
            tasks["noting"] = model.partitions + (await _foreign(str(responses), model, bootstrap) if has_own else 0)
        for source in model.sources.values():
            await _foreign(source.topic, model, bootstrap)
        for stage, count in tasks.items():
            await ensure_topics(bootstrap, {model.topic("state", stage): TABLE["state"]}, count)


def _topics_of(model: ModelSettings) -> dict[str, TopicKind]:
    names, stages = (_OF_MODEL, _STATES) if model.sidecar is None else (_OF_MODEL + _OF_SIDECAR, (*_STATES, "observing"))
    states = {model.topic("state", stage): TABLE["state"] for stage in stages}
    return {model.topic(name): TABLE[name] for name in names} | states


async def _foreign(topic: str, model: ModelSettings, bootstrap: str) -> int:
    """Count the partitions of a user's topic, which may have any number; one that we make has as many as the requests."""
    try:
        return await topic_partitions(bootstrap, topic)
    except TransportError:
        await ensure_topics(bootstrap, {topic: TABLE["labels"]}, model.partitions)
        return model.partitions
