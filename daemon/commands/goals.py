"""The commands about goals: `driftwake ask`, `driftwake goals`, and `goals show`, `approve` and `retire`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from daemon.commands.options import BAD_INPUT, DEFAULT_CONFIG, Config, Json, OnlyModel, TokenFile, Url, screen, settings_in
from daemon.commands.sending import send

app = typer.Typer()
goals_app = typer.Typer(help="Goals that people asked for, and how they stand.")

Digest = Annotated[str, typer.Argument(help="The goal's digest, or the beginning of it.")]


@app.command()
def ask(
    sentence: Annotated[str | None, typer.Argument(help="What you want, in words.")] = None,
    config: Config = DEFAULT_CONFIG,
    *,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Of which model, where the config has several.")] = None,
    yaml_file: Annotated[Path | None, typer.Option(help="A form that you filled in, instead of words.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what is understood, propose nothing.")] = False,
    url: Annotated[str | None, typer.Option("--url", help="Of a daemon that runs elsewhere; the words are the config's.")] = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Say what you want of a model: it is compiled, read back and proposed as a goal, which somebody else approves.

    Nothing is guessed: a word that isn't understood is named, with a form to fill in, and exit status 2. What is to be held or
    improved is asked of every challenger, once somebody else has approved it.

    Example: driftwake ask "keep precision at 95 % for European customers" --dry-run
    """
    from daemon.commands import asking
    from daemon.commands.reaching import reached
    from daemon.commands.screen import Screen
    from daemon.goals.base import NotUnderstood

    settings, wish = settings_in(config), asking.Wish(sentence=sentence, file=yaml_file, model=model)
    answer = asking.compiled(settings, wish)
    if isinstance(answer, NotUnderstood):
        if as_json:
            screen().data(asking.told_not(answer))
        else:
            asking.show_not(answer, Screen(sys.stderr))
        raise typer.Exit(BAD_INPUT)
    aside = asking.left_aside(settings, wish)
    if as_json:
        screen().data(asking.told(answer, aside))
    else:
        asking.show(answer, screen(), aside)
    if not dry_run:
        send(reached(config, url, token_file), asking.proposal(answer, sentence or "", aside), is_told=not as_json)


@goals_app.callback(invoke_without_command=True)
def goals(
    context: typer.Context,
    config: Config = DEFAULT_CONFIG,
    *,
    model: OnlyModel = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """List goals, oldest first."""
    from daemon.commands.reaching import reached
    from daemon.commands.screen import short, when

    if context.invoked_subcommand is not None:
        return
    found = reached(config, url, token_file).goals(model)
    if as_json:
        screen().data(found)
        return
    columns = ("digest", "model", "state", "proposed", "by", "approved by", "said")
    rows = (
        (short(one.digest), one.model, one.state, when(one.proposed_ms), one.proposed_by, one.approved_by or "-", one.sentence)
        for one in found
    )
    screen().table(columns, rows)


@goals_app.command("show")
def goals_show(
    digest: Digest, config: Config = DEFAULT_CONFIG, *, url: Url = None, token_file: TokenFile = None, as_json: Json = False
) -> None:
    """Read a goal back: in words, as YAML, who said what when, and how the champion and the last challengers stand on it."""
    from daemon.commands import asking
    from daemon.commands.reaching import reached

    source = reached(config, url, token_file)
    goal = source.goal(asking.find(source.goals(None), digest).id)
    if as_json:
        screen().data(goal)
    else:
        asking.show_goal(goal, screen())


@goals_app.command("approve")
def goals_approve(digest: Digest, config: Config = DEFAULT_CONFIG, *, url: Url = None, token_file: TokenFile = None) -> None:
    """Approve a proposed goal, exactly as its digest says it; who asked for it can't."""
    from daemon.commands import asking
    from daemon.commands.reaching import reached

    source = reached(config, url, token_file)
    send(source, asking.about(source.goals(None), digest, "approve_goal", "proposed"))


@goals_app.command("retire")
def goals_retire(digest: Digest, config: Config = DEFAULT_CONFIG, *, url: Url = None, token_file: TokenFile = None) -> None:
    """End a goal, approved or only proposed."""
    from daemon.commands import asking
    from daemon.commands.reaching import reached

    source = reached(config, url, token_file)
    send(source, asking.about(source.goals(None), digest, "retire_goal", "proposed", "approved"))


app.add_typer(goals_app, name="goals")
