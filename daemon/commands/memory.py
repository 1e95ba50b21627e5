"""The commands about what was learnt: `driftwake lessons` and `playbooks`, and `playbooks show`, `approve` and `retire`."""

from __future__ import annotations

from typing import Annotated

import typer

from daemon.commands.options import DEFAULT_CONFIG, Config, Json, OnlyModel, TokenFile, Url, screen
from daemon.commands.sending import send

app = typer.Typer()
playbooks_app = typer.Typer(help="Plans that turned out well often enough to run without being asked for, once a person agrees.")

Digest = Annotated[str, typer.Argument(help="The playbook's digest, or the beginning of it.")]


@app.command()
def lessons(
    config: Config = DEFAULT_CONFIG,
    *,
    model: OnlyModel = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Say which actions have helped against which causes: how sure that is, by which incidents, and what contradicted it since.

    Confidence is (1 + for) / (2 + for + against), each incident counted as far as its diagnosis was sure of the cause.
    """
    from daemon.commands.reaching import reached
    from daemon.commands.screen import when

    found = reached(config, url, token_file).claims(model)
    if as_json:
        screen().data(found)
        return
    columns = ("model", "cause", "action", "says", "confidence#", "for#", "against#", "until", "demoted by")
    rows = (
        (
            one.model, one.cause, one.action, one.says.replace("_", " "), one.confidence, len(one.supported_by),
            len(one.contradicted_by), when(one.expires_ms), ", ".join(one.demoted_by) or "-",
        )
        for one in found
    )  # fmt: skip
    screen().table(columns, rows)


@playbooks_app.callback(invoke_without_command=True)
def playbooks(
    context: typer.Context,
    config: Config = DEFAULT_CONFIG,
    *,
    model: OnlyModel = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """List playbooks, those that changed last at the end."""
    from daemon.commands import remembering
    from daemon.commands.reaching import reached
    from daemon.commands.screen import short, when

    if context.invoked_subcommand is not None:
        return
    found = reached(config, url, token_file).playbooks(model)
    if as_json:
        screen().data(found)
        return
    columns = ("digest", "model", "cause", "action", "state", "times#", "approved by", "until", "why")
    rows = (
        (
            short(one.digest), one.recipe.model, one.recipe.cause, one.recipe.action, remembering.standing(one),
            len(one.supported_by), one.approved_by or "-", when(one.expires_wall_ms), one.reason,
        )
        for one in found
    )  # fmt: skip
    screen().table(columns, rows)


@playbooks_app.command("show")
def playbooks_show(
    digest: Digest, config: Config = DEFAULT_CONFIG, *, url: Url = None, token_file: TokenFile = None, as_json: Json = False
) -> None:
    """Show what a playbook lets run, and what speaks for it."""
    from daemon.commands import remembering
    from daemon.commands.reaching import reached

    playbook = remembering.find(reached(config, url, token_file).playbooks(None), digest)
    if as_json:
        screen().data(playbook)
    else:
        remembering.show(playbook, screen())


@playbooks_app.command("approve")
def playbooks_approve(digest: Digest, config: Config = DEFAULT_CONFIG, *, url: Url = None, token_file: TokenFile = None) -> None:
    """Let the plans of a proposed playbook run without being asked for, until the approval expires or one of them breaks."""
    from daemon.commands import remembering
    from daemon.commands.reaching import reached

    source = reached(config, url, token_file)
    send(source, remembering.about(source.playbooks(None), digest, "approve_playbook"))


@playbooks_app.command("retire")
def playbooks_retire(
    digest: Digest,
    config: Config = DEFAULT_CONFIG,
    *,
    reason: Annotated[str, typer.Option(help="Why; it stands in the audit.")],
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """End a playbook, approved or only proposed."""
    from daemon.commands import remembering
    from daemon.commands.reaching import reached

    source = reached(config, url, token_file)
    send(source, remembering.about(source.playbooks(None), digest, "retire_playbook", reason=reason))


app.add_typer(playbooks_app, name="playbooks")
