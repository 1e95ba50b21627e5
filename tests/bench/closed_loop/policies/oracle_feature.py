"""Who also knows the feature that is missing."""

from __future__ import annotations

from tests.bench.closed_loop.policies.base import Moment, Retrain, World
from tests.bench.closed_loop.policies.oracle import Oracle


class OracleFeature:
    """The oracle, with the planted window added to the champion's.

    Args:
        world: what it plays in.

    Raises:
        ValueError: nothing is planted in this world.
    """

    name = "oracle_feature"
    who = "the oracle with the right feature added"

    def __init__(self, world: World) -> None:
        if world.planted is None:
            raise ValueError("oracle_feature: no feature is planted in this scenario; leave this policy out")
        self._windows = (*world.windows, world.planted)
        self._oracle = Oracle(world)

    def decide(self, moment: Moment) -> Retrain | None:
        """Ask when the oracle does."""
        wanted = self._oracle.decide(moment)
        return None if wanted is None else wanted._replace(windows=self._windows)
