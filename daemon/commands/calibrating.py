"""`driftwake calibrate`: what alarms mean on a log, how soon changes would be found, and a bundle that knows it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from daemon.commands.errors import BadInputError
from daemon.commands.looking import known_model, reading
from daemon.commands.screen import Screen, short, when
from daemon.deploying.first import published
from daemon.errors import RunFailedError
from daemon.replay.by_hand import ByHand
from daemon.replay.following import Tell
from daemon.replay.roles import read_log, read_requests, read_scores, read_sources, read_stamps
from daemon.settings import DaemonSettings, GovernedModelSettings
from streams.inference.store import BundleStore

_HOUR_MS = 3_600_000


class Wanted(NamedTuple):
    """What is to be calibrated: the model (the config's only one unless named), a log of it, and files of sources by name.

    `bundle` is a folder or a digest, None stands for the champion; for `partial` and `dry` see the skill `calibrate_monitors`.
    """

    model: str | None
    data: Path
    sources: Mapping[str, Path]
    bundle: str | None
    partial: bool
    dry: bool


def calibrate(settings: DaemonSettings, wanted: Wanted, tell: Tell | None = None) -> dict[str, Any]:
    """Calibrate; return what the skill answers, with the model's name and whether its champion is deployed.

    `tell` is told how far it is, line by line.

    Raises:
        BadInputError: the model or its bundle isn't clear, or the history can't support the asked rate.
        LogRefusedError: the log can't be read.
        BundleRefused: the bundle isn't whole, or is another model's.
        RunFailedError: the skill failed.
    """
    if wanted.model is None and len(settings.models) > 1:
        raise BadInputError(f"--model: name one of {', '.join(one.name for one in settings.models)}")
    name = known_model(settings, wanted.model or settings.models[0].name)
    given = next(one for one in settings.models if one.name == name)
    champion = _champion(settings, name)
    bundle = wanted.bundle or champion or given.bundle
    if bundle is None:
        raise BadInputError(f"which bundle? {name} has none deployed and none in the config; name a digest or a folder: --bundle")
    with tempfile.TemporaryDirectory(prefix="driftwake-calibrate-") as scratch:
        # A folder's bundle would be published by being read.
        is_apart = wanted.dry and Path(bundle).is_dir()
        store = BundleStore(Path(scratch) / "registry" if is_apart else settings.folder("registry").resolve())
        digest = published(store, name, bundle)
        rows, sources = _read(wanted, given, is_foreign=store.read_manifest(name, digest).is_stand_in)
        table = Path(scratch) / "rows.parquet"
        rows.to_parquet(table, index=False)
        files = {source: Path(scratch) / f"source-{source}.parquet" for source in sources}
        for source, records in sources.items():
            records.to_parquet(files[source], index=False)
        arguments: dict[str, Any] = {"bundle": digest, "table": str(table), "partial": wanted.partial, "dry": wanted.dry}
        arguments |= {"sources": {source: str(file) for source, file in files.items()}, "registry": str(store.root)}
        try:
            found = asyncio.run(ByHand(settings, name).calibrate(arguments, tell))
        except RunFailedError as error:
            if error.failure != "no_data":
                raise
            raise BadInputError(f"{error.message}; nothing was written") from error
    return {"model": name, "is_deployed": champion is not None, **found}


def show(found: Mapping[str, Any], config: Path, screen: Screen) -> None:
    """Show what `calibrate` returned, to a person."""
    _show_history(found, screen)
    _show_alarms(found["detectors"], screen)
    _show_powers(found, screen)
    lacking = [one for one in found["detectors"] if one["weeks_missing"]]
    for one in lacking:
        weeks = one["weeks_missing"]
        why = f"; the log lacks {one['lacks']}" if one["lacks"] else ""
        screen.line(
            f"{one['detector']} ({one['kind']}) stays as it was: {weeks} week{'s' if weeks > 1 else ''} missing{why}", "yellow"
        )
    for one in found["detectors"]:
        if one["left_out"]:
            screen.line(f"{one['detector']} takes long: the first {one['left_out']} buckets of the log were left out for it")
    if found["digest"] is None:
        screen.line("Nothing was written.")
        return
    screen.line(f"The registry has {found['digest']} now: {short(found['parent'])} with these thresholds. To let it serve:")
    if found["is_deployed"]:
        # The judge would refuse it: the same model is never better.
        screen.line(f'    driftwake deploy {found["model"]} {found["digest"]} --config {config} --force "calibrated monitors"')
    else:
        screen.line(f"    bundle: {found['digest']}    # as the model's first champion in {config}")


def _show_history(found: Mapping[str, Any], screen: Screen) -> None:
    days = (found["until_ms"] - found["since_ms"]) / (24 * _HOUR_MS)
    screen.line(
        f"{found['rows']} rows of {days:.1f} days, {when(found['since_ms'])} to {when(found['until_ms'])}, "
        f"in buckets of {found['bucket_ms'] / _HOUR_MS:g} h"
    )
    if found["filling"]:
        screen.line(f"{found['filling']} rows before them only fill the model's windows")
    if found["unseen_rows"] < found["rows"]:
        screen.line(
            f"scores and losses count from {when(found['unseen_ms'])} on ({found['unseen_rows']} rows): "
            "the bundle was made when the others were there already"
        )
    screen.line(f"{found['labelled_rows']} of the {found['unseen_rows']} rows that count for losses have labels")


def _show_alarms(detectors: Sequence[Mapping[str, Any]], screen: Screen) -> None:
    screen.title("Alarms a month that the log itself would have raised")
    columns = ("detector", "event", "signals#", "asked#", "chance#", "all of it (95 %)#", "last third (95 %)#")
    rows = [
        (
            one["detector"], one["kind"], one["signals"], f"{one['asked']:.2f}", f"{one['chance']:.1e}",
            _rate(one["seen_alarms"], one["seen"]), _rate(one["judged_alarms"], one["judged"]),
        )
        for one in detectors
    ]  # fmt: skip
    screen.table(columns, rows)
    screen.line(
        "An alarm begins where one look at one signal is less likely than the chance. All of it is watched with what was learnt "
        "from it, which flatters; the last third with what was learnt before. Real changes in the log count as alarms too."
    )


def _show_powers(found: Mapping[str, Any], screen: Screen) -> None:
    if not found["powers"]:
        screen.line("The log is too short to put changes into a part of it that nothing was learnt from.")
        return
    screen.title(f"Changes put into the log from {when(found['judged_ms'])} on")
    columns = ("change", "detector", "tried#", "found in a week#", "buckets#", "hours#", "least found in")
    rows = [
        (
            one["change"], one["detector"], one["tried"], _percent(one["share"]), one["buckets"],
            None if one["buckets"] is None else one["buckets"] * found["bucket_ms"] / _HOUR_MS, _least(one["columns"]),
        )
        for one in found["powers"]
    ]  # fmt: skip
    screen.table(columns, rows)
    screen.line(
        "Buckets and hours are the middle delay of what was found. Beginnings overlap, so shares are rough. What a feature's "
        "change does to scores and losses isn't in them. A change below the feature's effect floor is no alarm, however long."
    )


def _rate(alarms: int, rate: Mapping[str, float] | None) -> str:
    return "-" if rate is None else f"{alarms}: {rate['value']:.2f} ({rate['low']:.2f} to {rate['high']:.2f})"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _least(columns: Mapping[str, float | None]) -> str:
    """Name the column in which a change is found least often, where there are several and it isn't found in all."""
    shares = {name: share for name, share in columns.items() if share is not None}
    if len(shares) < 2 or min(shares.values()) == max(shares.values()):
        return ""
    name = min(sorted(shares), key=lambda each: shares[each])
    return f"{name} ({shares[name]:.0%})"


def _champion(settings: DaemonSettings, model: str) -> str | None:
    """Return the digest that serves, as the ledger knows it; None before there is one."""
    if isinstance(settings.ledger_place, Path) and not settings.ledger_place.exists():
        return None
    with reading(settings) as ledger:
        deployed = ledger.deployments(model, "done")
    return str(deployed[-1].payload["champion"]) if deployed else None


def _read(wanted: Wanted, given: GovernedModelSettings, *, is_foreign: bool) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Read requests with what became known of them, and the records of sources."""
    schema, roles = given.schema_contract(), given.log
    if wanted.partial and roles.label not in _names(wanted.data):
        rows = read_requests(wanted.data, roles, schema).assign(label=float("nan"), known_ms=float("nan"))
    else:
        log = read_log(wanted.data, roles, schema)
        rows = log.requests.merge(log.labels.rename(columns={"time_ms": "known_ms"}), on="id", how="left", validate="one_to_one")
    if is_foreign:
        if roles.score is None:
            raise BadInputError("which column holds what the model answered? Name it as `score` in the model's `log` section")
        rows = rows.merge(read_scores(wanted.data, roles, roles.score), on="id", how="left", validate="one_to_one")
    if roles.received is not None or roles.answered is not None:
        rows = rows.merge(read_stamps(wanted.data, roles), on="id", how="left", validate="one_to_one")
    named = tuple(source for source in schema.sources if source.name in wanted.sources)
    return rows, read_sources(wanted.data, wanted.sources, roles, msgspec.structs.replace(schema, sources=named))


def _names(file: Path) -> list[str]:
    """Return a file's columns, none of what can't be read: who reads it says why."""
    try:
        return list(pq.read_schema(file).names)
    except (OSError, pa.ArrowException):
        return []
