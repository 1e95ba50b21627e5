"""The commands of the quarantine: `driftwake quarantine list`, `show` and `replay`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.commands.errors import BadInputError
from daemon.commands.options import DEFAULT_CONFIG, Config, Json, OnlyModel, screen, settings_in

if TYPE_CHECKING:
    from daemon.commands.quarantined import Wanted

app = typer.Typer(no_args_is_help=True, help="Records that could not be used: look at them, and send them in again.")

Reason = Annotated[str | None, typer.Option("--reason", "-r", help="Only what was refused for this reason.")]
Since = Annotated[str | None, typer.Option("--since", help="Only what was refused within this time, for instance 24h.")]


@app.command("list")
def list_refused(
    config: Config = DEFAULT_CONFIG,
    *,
    model: OnlyModel = None,
    reason: Reason = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show at most so many, the newest.")] = 50,
    as_json: Json = False,
) -> None:
    """List what was refused, oldest first, and count it by reason."""
    from daemon.commands import quarantined
    from daemon.commands.screen import when

    found = asyncio.run(quarantined.listed(settings_in(config), _wanted(model, reason, since), limit))
    if as_json:
        screen().data({"entries": found.entries, "reasons": dict(found.reasons), "replayed": found.replayed})
        return
    columns = ("position", "model", "reason", "what", "bytes#", "refused", "sent in again")
    screen().table(
        columns,
        (
            (
                one.position, one.rejected.model, one.rejected.reason, one.rejected.detail[:120], len(one.rejected.value),
                when(one.rejected.quarantined_ms), when(one.replayed_ms),
            )
            for one in found.entries
        ),
    )  # fmt: skip
    counts = ", ".join(f"{count} {name}" for name, count in found.reasons.most_common())
    screen().line(f"{len(found.entries)} of {found.reasons.total()} shown; {found.replayed} sent in again; {counts or 'none'}")


@app.command()
def show(
    position: Annotated[str, typer.Argument(help="Where the record stood: topic/partition/offset.")],
    config: Config = DEFAULT_CONFIG,
    *,
    save: Annotated[Path | None, typer.Option(help="Write the record's value to this file, byte by byte.")] = None,
    as_json: Json = False,
) -> None:
    """Show one refused record: why, its key, its headers and its value."""
    from daemon.commands import quarantined
    from daemon.commands.screen import when

    entry = asyncio.run(quarantined.found(settings_in(config), position))
    one = entry.rejected
    if save is not None:
        save.write_bytes(one.value)
    if as_json:
        screen().data(entry)
        return
    rows: list[tuple[str, object]] = [
        ("position", entry.position),
        ("model", one.model),
        ("reason", one.reason),
        ("what", one.detail),
        ("refused", when(one.quarantined_ms)),
        ("sent in again", when(entry.replayed_ms)),
        ("whole", "no, it was too large to keep" if one.cut else "yes"),
        ("key", None if one.key is None else one.key.decode(errors="backslashreplace")),
        *((f"header {name}", value.decode(errors="backslashreplace")) for name, value in one.headers),
        ("value", one.value.decode(errors="backslashreplace")),
    ]
    screen().table(("", ""), rows)


@app.command()
def replay(
    positions: Annotated[list[str] | None, typer.Argument(help="Where the records stood: topic/partition/offset.")] = None,
    config: Config = DEFAULT_CONFIG,
    *,
    model: OnlyModel = None,
    reason: Reason = None,
    since: Since = None,
    again: Annotated[bool, typer.Option("--again", help="Also those that were sent in before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many it would be.")] = False,
) -> None:
    """Send refused requests and labels in again, after what refused them was put right.

    Each goes to its own partition with its own key, once, however often this is called.
    """
    from daemon.commands import quarantined

    if not positions and model is None and reason is None:
        raise BadInputError("say which: positions, --model or --reason")
    wanted = _wanted(model, reason, since)._replace(positions=tuple(positions or ()))
    done = asyncio.run(quarantined.replayed(settings_in(config), wanted, again=again, only_count=dry_run))
    said = [f"{done.sent} {'would be ' if dry_run else ''}sent in again"]
    said += [f"{done.before} were before (--again sends them once more)"] if done.before else []
    said += [f"{done.cut} aren't whole: send them from where they came"] if done.cut else []
    said += [f"{done.foreign} are no requests or labels"] if done.foreign else []
    screen().line("; ".join(said))


def _wanted(model: str | None, reason: str | None, since: str | None) -> Wanted:
    from daemon.commands.quarantined import Wanted
    from streams.runtime.durations import Duration

    try:
        return Wanted(model, reason, None if since is None else Duration.of(since))
    except ValueError as error:
        raise BadInputError(f"--since: {error}") from error
