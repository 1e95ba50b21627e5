"""Which bundle answers a row: deployments by event time, and the bundles that are loaded for them.

A row at time t is answered by the newest generation whose `effective_ms` isn't after t and whose champion is ready. A
generation whose champion was refused is passed over: the one before goes on. A row from before the oldest known generation is
answered by the oldest. The champion before the current one stays loaded, so that late rows and a rollback find it warm.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from streams.contracts.features import Window
from streams.contracts.records import Deployment
from streams.inference.session import Scorer

_V = TypeVar("_V")


class Share(NamedTuple):
    """Rows of a batch (their indices, ascending) that one deployment answers."""

    deployment: Deployment
    rows: NDArray[np.intp]


class Slots:
    """The deployments and bundles of one model, in one process.

    Args:
        limit: bundles loaded at once.
    """

    def __init__(self, limit: int = 8) -> None:
        self._limit = limit
        self._deployments: list[Deployment] = []
        self._ready: dict[str, Scorer] = {}
        self._refused: dict[str, str] = {}
        self._usable: list[Deployment] = []

    @property
    def generation(self) -> int:
        """The newest generation known; 0 before the first."""
        return self._deployments[-1].generation if self._deployments else 0

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        """The deployments that are still needed, oldest first."""
        return tuple(self._deployments)

    @property
    def ready(self) -> Mapping[str, Scorer]:
        """Loaded, warm and backfilled bundles by digest."""
        return self._ready

    @property
    def refused(self) -> Mapping[str, str]:
        """Why a wanted bundle was refused, by digest."""
        return self._refused

    @property
    def is_serving(self) -> bool:
        """Whether any known generation can answer."""
        return bool(self._usable)

    def learn(self, deployment: Deployment) -> bool:
        """Note a deployment; false when this generation is known already.

        A bundle that was refused before gets another chance when a new generation names it.
        """
        if deployment.generation in {other.generation for other in self._deployments}:
            return False
        self._deployments = sorted([*self._deployments, deployment], key=lambda other: other.generation)
        for digest in (*deployment.preparing, *deployment.digests):
            self._refused.pop(digest, None)
        self._sort_out()
        return True

    def wanted(self) -> tuple[str, ...]:
        """Digests that shall be loaded: champions first, newest first, then what is being prepared, canaries and shadows."""
        newest_first = list(reversed(self._deployments))
        champions = [deployment.champion for deployment in newest_first]
        others = [digest for deployment in newest_first for digest in deployment.digests]
        preparing = list(newest_first[0].preparing) if newest_first else []
        return tuple(dict.fromkeys([*champions, *preparing, *others]))

    def missing(self) -> tuple[str, ...]:
        """Wanted digests that are neither ready nor refused; those above the limit are refused here."""
        wanted = self.wanted()
        for digest in wanted[self._limit :]:
            if digest not in self._ready:
                self.refuse(digest, f"at most {self._limit} bundles are loaded at once")
        return tuple(digest for digest in wanted if digest not in self._ready and digest not in self._refused)

    def accept(self, scorer: Scorer) -> None:
        """Note that a bundle is loaded, warm and backfilled."""
        self._refused.pop(scorer.digest, None)
        self._ready[scorer.digest] = scorer
        self._sort_out()

    def refuse(self, digest: str, reason: str) -> None:
        """Note that a bundle won't be loaded."""
        self._refused[digest] = reason

    def windows(self) -> tuple[Window, ...]:
        """Every window that a ready bundle reads."""
        return tuple(dict.fromkeys(window for scorer in self._ready.values() for window in scorer.manifest.windows))

    def is_settled(self, time_ms: int) -> bool:
        """Whether a row at this time would be answered the same when all known bundles are loaded or refused."""
        for deployment in reversed(self._deployments):
            if deployment.effective_ms <= time_ms and deployment.champion not in self._refused:
                return self._is_complete(deployment)
        return self.is_serving

    def is_decided(self, generation: int) -> bool:
        """Whether the champion of a generation is loaded or refused; a generation that isn't known any more is."""
        wanted = next((deployment.champion for deployment in self._deployments if deployment.generation == generation), None)
        return wanted is None or wanted in self._ready or wanted in self._refused

    @property
    def champions(self) -> Collection[str]:
        """Digests of the champions of all deployments that can answer."""
        return {deployment.champion for deployment in self._usable}

    def split(self, times: Sequence[int], champions: Sequence[str | None] = ()) -> list[Share]:
        """Divide a batch between the deployments that answer its rows; every row is in exactly one share.

        Args:
            times: of the rows.
            champions: where another server has answered, the digest of the champion that did, None where it isn't known: the
                newest deployment of that champion then has the row, whatever the time.

        Raises:
            LookupError: no generation can answer (`is_serving` is false).
        """
        usable = self._usable
        if not usable:
            raise LookupError("no deployment has a champion that is ready")
        if not champions and min(times) >= max(deployment.effective_ms for deployment in usable):
            return [Share(usable[-1], np.arange(len(times)))]
        at = np.asarray(times, np.int64)
        chosen = np.zeros(len(at), np.intp)
        for index, deployment in enumerate(usable):
            chosen[at >= deployment.effective_ms] = index
        newest = {deployment.champion: index for index, deployment in enumerate(usable)}
        for row, digest in enumerate(champions):
            chosen[row] = newest.get(digest or "", chosen[row])
        return [Share(usable[index], np.flatnonzero(chosen == index)) for index in np.unique(chosen)]

    def forget(self, now_ms: int) -> None:
        """Let go of what no row at or after `now_ms` needs, except the champion before the current one."""
        in_force = max((i for i, deployment in enumerate(self._deployments) if self._answers(deployment, now_ms)), default=0)
        champion = self._deployments[in_force].champion if self._deployments else ""
        before = [i for i in range(in_force) if self._deployments[i].champion != champion]
        kept = {in_force, *before[-1:], *range(in_force, len(self._deployments))}
        self._deployments = [deployment for i, deployment in enumerate(self._deployments) if i in kept]
        wanted = set(self.wanted())
        self._ready = _only(self._ready, wanted)
        self._refused = _only(self._refused, wanted)
        self._sort_out()

    def _sort_out(self) -> None:
        """Keep at hand what is asked for every row."""
        self._usable = [deployment for deployment in self._deployments if deployment.champion in self._ready]

    def _answers(self, deployment: Deployment, time_ms: int) -> bool:
        return deployment.effective_ms <= time_ms and deployment.champion in self._ready

    def _is_complete(self, deployment: Deployment) -> bool:
        return all(digest in self._ready or digest in self._refused for digest in deployment.digests)


def _only(items: Mapping[str, _V], names: Iterable[str]) -> dict[str, _V]:
    return {name: items[name] for name in names if name in items}
