"""The commands that order something of the daemon: `deploy`, `canary`, `rollback`, `approve`, `freeze` and `unfreeze`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from daemon.commands.options import DEFAULT_CONFIG, Config, Model, screen, settings_in

if TYPE_CHECKING:
    from daemon.settings import DaemonSettings
    from streams.contracts.records import Command

app = typer.Typer()


@app.command()
def deploy(
    model: Model,
    bundle: Annotated[str, typer.Argument(help="A bundle's folder, or the digest of one in the registry.")],
    config: Config = DEFAULT_CONFIG,
    *,
    shadow: Annotated[str | None, typer.Option(help="Only run it beside the champion, under this name.")] = None,
    force: Annotated[str | None, typer.Option(help="Why it must serve without being judged; it stands in the audit.")] = None,
) -> None:
    """Hand in a bundle: it is judged against the champion, shadowed and promoted like any challenger.

    With --force it serves at once, unless deployments are frozen, and the champion it replaces stays ready to come back.
    """
    from daemon.commands import ordering

    settings = settings_in(config)
    _send(settings, ordering.challenge(settings, model, bundle, shadow, force))


@app.command()
def canary(
    model: Model,
    bundle: Annotated[str | None, typer.Argument(help="A bundle's folder, or a digest. Without one the canary ends.")] = None,
    config: Config = DEFAULT_CONFIG,
    *,
    weight: Annotated[float | None, typer.Option(help="The share of the requests that it answers, by their keys.")] = None,
) -> None:
    """Let a bundle answer a share of the requests, the same keys every time; the champion answers the others.

    Raising the weight keeps the keys that it has. Both score every request, so they can be compared on all.
    """
    from daemon.commands import ordering

    settings = settings_in(config)
    _send(settings, ordering.canary(settings, model, bundle, weight))


@app.command()
def rollback(model: Model, config: Config = DEFAULT_CONFIG) -> None:
    """Bring the previous champion back."""
    _order("rollback", model, config)


@app.command()
def freeze(model: Model, config: Config = DEFAULT_CONFIG) -> None:
    """Let nothing be deployed until `unfreeze`; watching and rolling back go on."""
    _order("freeze", model, config)


@app.command()
def unfreeze(model: Model, config: Config = DEFAULT_CONFIG) -> None:
    """Lift a freeze."""
    _order("unfreeze", model, config)


@app.command()
def approve(
    plan: Annotated[str, typer.Argument(help="The plan's digest or the incident's id, or a part of it.")],
    config: Config = DEFAULT_CONFIG,
    *,
    refuse: Annotated[bool, typer.Option("--refuse", help="Say no.")] = False,
) -> None:
    """Approve a plan that waits for it; the word counts once, for exactly this plan."""
    from daemon.commands import ordering

    settings = settings_in(config)
    _send(settings, ordering.speak(settings, plan, refuse=refuse))


def _order(kind: Literal["rollback", "freeze", "unfreeze"], model: str, config: Path) -> None:
    from daemon.commands import looking, ordering

    settings = settings_in(config)
    _send(settings, ordering.order(kind, looking.known_model(settings, model), {}))


def _send(settings: DaemonSettings, command: Command) -> None:
    from daemon.commands import ordering

    ordering.send(settings, command)
    screen().line(
        f"{command.kind} for {command.model} is on its way; `driftwake audit show --subject {command.id}` tells what came of it, "
        f"`driftwake slots {command.model}` which partitions have it"
    )
