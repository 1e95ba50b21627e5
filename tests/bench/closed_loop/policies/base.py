"""What a policy sees, what it may ask for, and what it knows of the world it plays in."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import pandas as pd

from streams.contracts.features import Window
from streams.contracts.schema import ModelSchema

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
# How far back everybody but the oracles trains: long enough for rare labels, short enough to forget.
TRAILING_MS = 35 * DAY_MS


class Moment(NamedTuple):
    """The end of a bucket, as one policy sees it.

    `time_ms` is epoch ms; everything before it was released and digested. `requests` are the bucket's (id, time_ms, the
    schema's columns). `matured` are the rows whose label was joined since the last moment: id, time_ms, known_ms, label and
    score, the one of this policy's own slot (NaN where it had none).
    """

    time_ms: int
    requests: pd.DataFrame
    matured: pd.DataFrame


class Retrain(NamedTuple):
    """A wish to retrain on the labelled rows with event time in [`since_ms`, `until_ms`), as known now.

    `windows` None means those of the first champion. With `gate` the new model is first compared with the policy's present
    one, on the labelled rows from `until_ms` on, which neither was trained on, and is refused when it is worse.
    """

    since_ms: int
    until_ms: int
    windows: tuple[Window, ...] | None = None
    why: str = ""
    gate: bool = False


class World(NamedTuple):
    """What a policy is told before it begins. Times are epoch ms.

    `windows` are the first champion's and `champion_rows` its training rows, as in the bench's table. `start_ms` is where the
    replay begins. A row's label counts as known `label_delay_ms` after its request, also where single rows differ. Only
    oracles may read `onset_ms` (None: nothing happens) and `planted`, the feature that would be right. `gate_ms` is the span of
    labelled rows that a gate compares on.
    """

    schema: ModelSchema
    windows: tuple[Window, ...]
    epoch_ms: int
    start_ms: int
    label_delay_ms: int
    champion_rows: pd.DataFrame
    onset_ms: int | None = None
    planted: Window | None = None
    gate_ms: int = WEEK_MS


class Policy(Protocol):
    """Decides after each bucket; keeps its own memory and touches nothing outside.

    `who` is one line for people.
    """

    name: str
    who: str

    def decide(self, moment: Moment) -> Retrain | None:
        """Return what to train now, or None. Called once per bucket, in order of time."""
        ...
