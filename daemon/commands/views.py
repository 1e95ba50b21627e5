"""The commands that only look: `status`, `slots`, `incidents`, `explain`, `replay-incident`, `key` and `config`."""

from __future__ import annotations

from typing import Annotated

import typer

from daemon.commands.options import (
    DEFAULT_CONFIG,
    FAILED,
    Config,
    ConfigFile,
    Json,
    Model,
    OnlyModel,
    TokenFile,
    Url,
    screen,
    settings_in,
)

app = typer.Typer()
config_app = typer.Typer(no_args_is_help=True, help="Check a config, and see where each value comes from.")


@app.command()
def status(config: Config = DEFAULT_CONFIG, *, url: Url = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """Say how every model stands."""
    from daemon.commands.reaching import reached
    from daemon.commands.screen import short, when

    found = reached(config, url, token_file).status()
    if as_json:
        screen().data(found)
        return
    columns = (
        "model",
        "autonomy",
        "champion",
        "generation#",
        "state",
        "open#",
        "incidents#",
        "promotions#",
        "frozen by",
        "newest",
    )
    screen().table(
        columns,
        (
            (
                one.model, one.autonomy, short(one.digest), one.generation, one.state, one.open_incidents, one.incidents,
                one.promotions, one.frozen_by, when(one.newest_ms),
            )
            for one in found.models
        ),
    )  # fmt: skip
    screen().line(f"audit head {found.audit_head}")


@app.command()
def slots(
    model: Model, config: Config = DEFAULT_CONFIG, *, url: Url = None, token_file: TokenFile = None, as_json: Json = False
) -> None:
    """Say what is deployed, and which partitions haven't loaded it yet. Exit status 1 while one hasn't."""
    from daemon.commands.reaching import reached
    from daemon.commands.screen import short, when

    found = reached(config, url, token_file).slots(model)
    if as_json:
        screen().data(found)
    else:
        count = len(found.partitions)
        screen().line(f"generation {found.generation}, from {when(found.effective_ms)} on: {found.reason}")
        screen().table(
            ("slot", "bundle", "answers#", "ready on"),
            ((one.name, short(one.digest), f"{one.share:.3g}", f"{one.ready} of {count}") for one in found.slots),
        )
        screen().table(
            ("partition#", "worker", "has read#", "loads", "backfilled#", "refused"),
            (
                (
                    one.partition, one.worker or "none yet", one.generation, " ".join(map(short, one.missing)),
                    f"{one.backfilled:.0%}" if one.missing else "-",
                    "; ".join(f"{short(digest)}: {why}" for digest, why in one.refused.items()),
                )
                for one in found.partitions
            ),
        )  # fmt: skip
    if found.waiting:
        raise typer.Exit(FAILED)


@app.command()
def key(config: Config = DEFAULT_CONFIG) -> None:
    """Show the public key of this daemon's deployments, for `trust.deployment_keys` where the data plane runs elsewhere."""
    from streams.runtime.signing import key_in

    screen().line(key_in(settings_in(config).folder("keys")).public)


@app.command()
def incidents(
    config: Config = DEFAULT_CONFIG,
    *,
    model: OnlyModel = None,
    only_open: Annotated[bool, typer.Option("--open", help="Only those under way.")] = False,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """List incidents, oldest first."""
    from daemon.commands.reaching import reached
    from daemon.commands.screen import when

    found = reached(config, url, token_file).incidents(model, only_open=only_open)
    if as_json:
        screen().data(found)
        return
    rows = ((one.id, one.model, one.cause, one.state, when(one.opened_ms), when(one.moved_ms), one.reason) for one in found)
    screen().table(("incident", "model", "cause", "state", "opened", "moved", "why"), rows)


@app.command()
def explain(
    incident: Annotated[str, typer.Argument(help="Its id, or a part of it.")],
    config: Config = DEFAULT_CONFIG,
    *,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Tell an incident from its first event to its lesson: evidence, diagnosis, plan, verdict, swap."""
    from daemon.commands.reaching import reached
    from daemon.commands.telling import tell

    story = reached(config, url, token_file).story(incident)
    if as_json:
        screen().data(story)
    else:
        tell(story, screen())


@app.command("replay-incident")
def replay_incident(
    incident: Annotated[str, typer.Argument(help="Its id, or a part of it.")],
    config: Config = DEFAULT_CONFIG,
    *,
    planner: Annotated[str | None, typer.Option(help="Who decides; the model's own planner unless given.")] = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Decide again on what was known when an incident was planned, and show what differs. Nothing is touched.

    The config's settings decide, which may be others by now than the running daemon's; with --url that daemon's own do.
    """
    from daemon.commands import deciding
    from daemon.commands.reaching import FromLedger, reached

    source = FromLedger(settings_in(config)) if url is None else reached(config, url, token_file)
    again = source.again(incident, planner)
    if as_json:
        screen().data(again)
    else:
        deciding.show(again, screen())


@config_app.command("lint")
def config_lint(file: ConfigFile = DEFAULT_CONFIG) -> None:
    """Check a config; exit 2 with every finding if something is wrong."""
    settings = settings_in(file)
    screen().line(f"{file}: nothing to find; models: {', '.join(model.name for model in settings.models)}")


@config_app.command("explain")
def config_explain(file: ConfigFile = DEFAULT_CONFIG, *, as_json: Json = False) -> None:
    """List every setting: its value, where that comes from, and why it is there."""
    from daemon.commands.configuring import explain_config

    found = explain_config(file)
    if as_json:
        screen().data([setting._asdict() for setting in found])
    else:
        screen().table(("setting", "value", "from", "why"), found)


@config_app.command("schema")
def config_schema() -> None:
    """Write the JSON Schema of a config, for editors."""
    from daemon.commands.configuring import config_schema as schema

    screen().data(schema())


app.add_typer(config_app, name="config")
