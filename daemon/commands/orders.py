"""The commands that order something of the daemon: `deploy`, `canary`, `rollback`, `propose`, `approve`, `freeze`, `unfreeze`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from daemon.commands.options import DEFAULT_CONFIG, Config, Model, TokenFile, Url
from daemon.commands.sending import send

if TYPE_CHECKING:
    from daemon.api.commands import Asked
    from daemon.commands.reaching import Source

app = typer.Typer()


@app.command()
def deploy(
    model: Model,
    bundle: Annotated[str, typer.Argument(help="A bundle's folder, or the digest of one in the registry.")],
    config: Config = DEFAULT_CONFIG,
    *,
    shadow: Annotated[str | None, typer.Option(help="Only run it beside the champion, under this name.")] = None,
    force: Annotated[str | None, typer.Option(help="Why it must serve without being judged; it stands in the audit.")] = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Hand in a bundle: it is judged against the champion, shadowed and promoted like any challenger.

    With --force it serves at once, unless deployments are frozen, and the champion it replaces stays ready to come back.
    """
    from daemon.commands import ordering
    from daemon.commands.reaching import reached

    source = reached(config, url, token_file)
    _send(source, ordering.challenge(source.settings, model, bundle, shadow, force))


@app.command()
def canary(
    model: Model,
    bundle: Annotated[str | None, typer.Argument(help="A bundle's folder, or a digest. Without one the canary ends.")] = None,
    config: Config = DEFAULT_CONFIG,
    *,
    weight: Annotated[float | None, typer.Option(help="The share of the requests that it answers, by their keys.")] = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Let a bundle answer a share of the requests, the same keys every time; the champion answers the others.

    Raising the weight keeps the keys that it has. Both score every request, so they can be compared on all.
    """
    from daemon.commands import ordering
    from daemon.commands.reaching import reached

    source = reached(config, url, token_file)
    _send(source, ordering.canary(source.settings, model, bundle, weight))


@app.command()
def rollback(model: Model, config: Config = DEFAULT_CONFIG, *, url: Url = None, token_file: TokenFile = None) -> None:
    """Bring the previous champion back."""
    _order("rollback", model, config, url, token_file)


@app.command()
def freeze(model: Model, config: Config = DEFAULT_CONFIG, *, url: Url = None, token_file: TokenFile = None) -> None:
    """Let nothing be deployed until `unfreeze`; watching and rolling back go on."""
    _order("freeze", model, config, url, token_file)


@app.command()
def unfreeze(model: Model, config: Config = DEFAULT_CONFIG, *, url: Url = None, token_file: TokenFile = None) -> None:
    """Lift a freeze."""
    _order("unfreeze", model, config, url, token_file)


@app.command()
def propose(
    model: Model,
    why: Annotated[str, typer.Option(help="Why; it stands in the audit.")],
    config: Config = DEFAULT_CONFIG,
    *,
    action: Annotated[str | None, typer.Option(help="Which repair, by name; without it the planner finds out.")] = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Ask for a plan: the model is diagnosed and planned for as if an alarm had been raised, and somebody else approves it.

    An action that is asked for (retrain, search_features_and_retrain, restore_archived, rollback) is weighed like another
    planner's proposal. The plan runs as yours.
    """
    from daemon.api.commands import Asked
    from daemon.commands.reaching import reached

    arguments = {"why": why} | ({} if action is None else {"action": action})
    _send(reached(config, url, token_file), Asked(kind="propose_plan", model=model, arguments=arguments))


@app.command()
def approve(
    plan: Annotated[str, typer.Argument(help="The plan's digest or the incident's id, or a part of it.")],
    config: Config = DEFAULT_CONFIG,
    *,
    refuse: Annotated[bool, typer.Option("--refuse", help="Say no.")] = False,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Approve a plan that waits for it; the word counts once, for exactly this plan."""
    from daemon.commands import ordering
    from daemon.commands.reaching import reached

    source = reached(config, url, token_file)
    _send(source, ordering.speak(source.incidents(None, only_open=True), plan, refuse=refuse))


def _order(
    kind: Literal["rollback", "freeze", "unfreeze"], model: str, config: Path, url: str | None, token_file: Path | None
) -> None:
    from daemon.api.commands import Asked
    from daemon.commands.reaching import reached

    _send(reached(config, url, token_file), Asked(kind=kind, model=model))


def _send(source: Source, asked: Asked) -> None:
    send(source, asked, f"`driftwake slots {asked.model}` which partitions have it")
