"""How long each request waited for its answer, by the broker's clock."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from daemon.replay.delivery import Seen


class Latencies(NamedTuple):
    """Answers [answers]: event time (epoch ms), and milliseconds from the request's append to the answer's."""

    time_ms: NDArray[np.int64]
    taken_ms: NDArray[np.float64]


def latencies_of(seen: Seen) -> Latencies:
    """Return the latency of every answer to a request that is there."""
    found = [(one.time_ms, one.appended_ms - seen.asked[one.position]) for one in seen.answers if one.position in seen.asked]
    columns = np.array(found, np.int64).reshape(-1, 2)
    return Latencies(columns[:, 0], columns[:, 1].astype(np.float64))
