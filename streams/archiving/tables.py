"""Which topic goes to which table, and who says how far it has come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from streams.archiving.decoding import Decodes
from streams.runtime.watermark import SOURCE
from streams.transport.records import position_key

Writer = Literal["task", "source"]


class Filed(NamedTuple):
    """A table's topic and its number of partitions, and what decodes its records.

    `writer` says whose watermarks count in it: `task` is the task of the stage before with the partition's number, `source` that
    of a replay. None: nobody's do, as in a topic of the user's, and no boundary waits for it.
    """

    topic: str
    partitions: int
    decoder: Decodes
    writer: Writer | None = "task"

    @property
    def places(self) -> list[tuple[str, int]]:
        """The partitions, as (topic, number)."""
        return [(self.topic, number) for number in range(self.partitions)]


Tables = Mapping[str, Filed]
"""By the table's name. The first one's topic is that over which workers agree who archives."""


def expected(tables: Tables) -> Iterator[tuple[str, str]]:
    """Return the partitions that make up a boundary, each with the writer of its watermarks."""
    for filed in tables.values():
        if filed.writer is not None:
            for topic, number in filed.places:
                yield position_key(topic, number), SOURCE if filed.writer == "source" else str(number)
