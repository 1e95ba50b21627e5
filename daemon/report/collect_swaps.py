"""Who served when: the champions one after the other, from the ledger's deployments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Incident, Step
from daemon.report.collect_quality import Served
from daemon.report.model import Swap
from streams.contracts.errors import BundleRefused
from streams.contracts.features import Window
from streams.inference.store import BundleStore

PROMOTE = "promote"


class Reign(NamedTuple):
    """A bundle as the champion in [start, end) of event time. `previous` is the one before, `step` what deployed it."""

    digest: str
    previous: str
    generation: int
    start_ms: int
    end_ms: int
    step: Step | None

    @property
    def is_promotion(self) -> bool:
        """Whether a challenger that had proven itself took over; a rollback or the first champion isn't one."""
        return self.step is not None and self.step.key == PROMOTE


def reigns(ledger: Ledger, model: str, served: Served, start_ms: int, end_ms: int) -> list[Reign]:
    """List the champions of [start, end) in order. The first is the one that served then, its start is `start_ms`."""
    steps = [step for step in ledger.deployments(model, "done") if step.payload.get("champion")]
    known = [(int(step.payload["effective_ms"]), str(step.payload["champion"]), step) for step in steps]
    before = [digest for effective_ms, digest, _ in known if effective_ms <= start_ms]
    first = before[-1] if before else _first_served(served) or (known[0][1] if known else "")
    found = [Reign(first, "", _generation(served, first), start_ms, end_ms, None)] if first else []
    for effective_ms, digest, step in known:
        if start_ms < effective_ms < end_ms and found and digest != found[-1].digest:
            last = found[-1]
            found[-1] = last._replace(end_ms=effective_ms)
            found.append(Reign(digest, last.digest, int(step.payload["generation"]), effective_ms, end_ms, step))
    return found


def windows_of(store: BundleStore, model: str, digest: str) -> tuple[Window, ...]:
    """Return the windows that a bundle holds; none when it can't be read any more."""
    try:
        return store.read_manifest(model, digest).windows
    except BundleRefused:
        return ()


def swaps(
    found: Sequence[Reign], slot: str, incidents: Mapping[str, Incident], windows: Mapping[str, Sequence[Window]]
) -> tuple[Swap, ...]:
    """Tell each champion's beginning with the features that it brought."""
    return tuple(
        Swap(
            time_ms=reign.start_ms,
            generation=reign.generation,
            digest=reign.digest,
            slot=slot,
            reason=_reason(reign, incidents),
            features=tuple(window.text for window in windows.get(reign.digest, ())),
        )
        for reign in found
    )


def _reason(reign: Reign, incidents: Mapping[str, Incident]) -> str:
    if reign.step is None:
        return "the champion that served when this began"
    said = str(reign.step.payload.get("reason", ""))
    incident = incidents.get(reign.step.subject)
    sealed = incident.details.get("sealed") if incident is not None and reign.is_promotion else None
    return f"{said}: {sealed['reason']}" if isinstance(sealed, dict) and sealed.get("reason") else said


def _first_served(served: Served) -> str:
    return str(served.digests[int(served.generations.argmin())].as_py()) if len(served.generations) else ""


def _generation(served: Served, digest: str) -> int:
    answered = served.generations[served.champion(digest) == served.scores]
    return int(answered.min()) if len(answered) else 1
