"""The commands of the audit: `driftwake audit verify`, `show` and `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daemon.commands.options import DEFAULT_CONFIG, FAILED, Config, Json, OnlyModel, TokenFile, Url, screen, settings_in

app = typer.Typer(no_args_is_help=True, help="The hash-chained record of everything that was seen, decided and done.")


@app.command()
def verify(
    config: Config = DEFAULT_CONFIG,
    anchor: Annotated[str | None, typer.Option(help="A head noted earlier, NUMBER:HASH; shows a cut-off end.")] = None,
    file: Annotated[Path | None, typer.Option(help="What `export` wrote; then no ledger is needed, and no config.")] = None,
    *,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Find the first record that was altered, removed or reordered; exit 1 if there is one."""
    from daemon.commands import auditing
    from daemon.commands.reaching import reached

    if file is None:
        found = reached(config, url, token_file).verify(anchor)
    else:
        is_given = config != DEFAULT_CONFIG or config.exists()
        found = auditing.verified_file(settings_in(config) if is_given else None, file, anchor)
    for line in auditing.said(found):
        screen().line(line, "bold red" if found.fault_number is not None else "")
    if found.fault_number is not None:
        raise typer.Exit(FAILED)


@app.command()
def show(  # noqa: PLR0917 - the command's options, given by name
    config: Config = DEFAULT_CONFIG,
    subject: Annotated[str | None, typer.Option(help="Only of this incident, event or command.")] = None,
    incident: Annotated[str | None, typer.Option(help="Only what belongs to this incident, approvals too.")] = None,
    model: OnlyModel = None,
    actor: Annotated[str | None, typer.Option(help="Only by driftwake, planner:NAME or person:NAME.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this, for instance incident.moved or approval.given.")] = None,
    since: Annotated[str | None, typer.Option(help="Only from this event time on, in UTC.")] = None,
    until: Annotated[str | None, typer.Option(help="Only before this event time.")] = None,
    after: Annotated[int, typer.Option(min=0, help="Only records with a higher number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    *,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """List audit records in order."""
    from daemon.commands import auditing
    from daemon.commands.reaching import reached
    from daemon.commands.screen import when
    from daemon.ledger.audit import Only

    times = auditing.time_of("--since", since), auditing.time_of("--until", until)
    found = reached(config, url, token_file).audit(Only(subject, incident, model, actor, action, *times), after, limit)
    if as_json:
        screen().data(found)
        return
    rows = ((one.number, when(one.time_ms), one.actor, one.kind, one.model, one.subject, one.hash[:12]) for one in found)
    screen().table(("number#", "event time", "who", "what", "model", "subject", "hash"), rows)


@app.command()
def export(
    output: Annotated[Path, typer.Argument(help="The file; each line is a record in canonical JSON.")],
    config: Config = DEFAULT_CONFIG,
    *,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Write the whole audit into a file, which `verify --file` verifies anywhere; the head it ends with is said.

    A running daemon gives it to whoever may see all models.
    """
    from daemon.commands import auditing
    from daemon.commands.looking import anchor_text
    from daemon.commands.reaching import reached

    head = auditing.export(reached(config, url, token_file).chain(), output)
    screen().line(f"{head.number} records; head {anchor_text(head)}")
