"""All kinds of injections, and a scenario's rows after all of its injections."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, NamedTuple

import numpy as np
from pydantic import Field

from streams.contracts.schema import ModelSchema
from tests.bench.closed_loop.injections import (
    bursts,
    dead_column,
    faster,
    nulls,
    offset,
    poison_labels,
    scale,
    unseen_category,
)
from tests.bench.closed_loop.injections.base import resolved
from tests.bench.closed_loop.rows import Rows, check

Injection = Annotated[
    bursts.Options
    | dead_column.Options
    | faster.Options
    | nulls.Options
    | offset.Options
    | poison_labels.Options
    | scale.Options
    | unseen_category.Options,
    Field(discriminator="kind"),
]

_INJECT: Final[Mapping[str, Callable[..., Rows]]] = {
    kind.KIND: kind.inject for kind in (bursts, dead_column, faster, nulls, offset, poison_labels, scale, unseen_category)
}
# What makes rows wrong, so that nobody should learn from them.
BREAKING: Final = frozenset(kind.KIND for kind in (dead_column, nulls, scale, unseen_category))


class Injected(NamedTuple):
    """Rows after their injections, and the options as they were drawn."""

    rows: Rows
    drawn: tuple[Any, ...]


def inject_all(
    rows: Rows, injections: Sequence[Any], schema: ModelSchema, *, epoch_ms: int, seed: int, spared: str | None = None
) -> Injected:
    """Apply injections one after the other, each on what the one before has made; the same seed gives the same rows.

    What is drawn for one injection doesn't depend on the others: each has its own generator, of the seed and its place. What
    would be done to the column `spared` isn't.

    Raises:
        ValueError: an injection doesn't fit the rows; the message says how.
    """
    drawn = []
    for place, options in enumerate(injections):
        choices, content = (np.random.default_rng([seed, place, part]) for part in (0, 1))
        chosen = resolved(options, choices)
        if spared is None or getattr(chosen, "column", None) != spared:
            rows = check(_INJECT[chosen.kind](rows, chosen, chosen.span(epoch_ms), content), schema)
        drawn.append(chosen)
    return Injected(rows, tuple(drawn))
