"""The commands of tokens: `driftwake token new` and `token list`."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

from daemon.access.roles import ROLES, Role
from daemon.commands.errors import BadInputError
from daemon.commands.options import DEFAULT_CONFIG, Config, Json, TokenFile, Url, screen

app = typer.Typer(no_args_is_help=True, help="Tokens: who may look on, and who may give orders.")


@app.command()
def new(
    *,
    name: Annotated[str, typer.Option(help="Whose it is; it stands in the audit.")],
    role: Annotated[str, typer.Option(help=f"What he may: {', '.join(ROLES)}; each may all that those before it may.")],
    model: Annotated[list[str] | None, typer.Option("--model", "-m", help="Only this model; may be given several times.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=36_500, help="After how many days it is void.")] = None,
) -> None:
    """Make a token: it is shown once, and so is what the daemon's token file needs to know it by.

    Example: driftwake token new --name ann --role approver --days 90
    """
    from daemon.access.entries import entry_lines
    from daemon.access.secret import new_token
    from streams.runtime.clock import SystemClock

    expires = None if days is None else SystemClock().now().replace(microsecond=0) + dt.timedelta(days=days)
    token = new_token()
    entry = entry_lines(token, name=name, role=_role(role), models=tuple(model or ()) or None, expires=expires)
    screen().line("The token, which is nowhere else; keep it in a file that only its owner can read, for --token-file:")
    screen().line(token)
    screen().line("The entry under `tokens:` in the file that `access.tokens` names; the daemon reads it again when it changes:")
    for line in entry:
        screen().line(line)


@app.command("list")
def list_tokens(config: Config = DEFAULT_CONFIG, *, url: Url = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """List whose tokens a running daemon believes."""
    from daemon.commands.reaching import reached

    found = reached(config, url, token_file).tokens()
    if as_json:
        screen().data(found)
        return
    rows = ((one.name, one.role, ", ".join(one.models or (_unlisted(one.role),)), one.expires, one.is_void) for one in found)
    screen().table(("name", "role", "models", "expires", "void"), rows)


def _unlisted(role: str) -> str:
    """Say whose models a token without a list sees: in a ledger that daemons share, an admin's those of all."""
    return "all" if role == "admin" else "this daemon's"


def _role(text: str) -> Role:
    role = next((one for one in ROLES if one == text), None)
    if role is None:
        raise BadInputError(f"--role {text!r}: there are {', '.join(ROLES)}")
    return role
