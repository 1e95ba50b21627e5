"""The commands of features: `driftwake features explain` and `try`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from daemon.commands.options import Json, SourceFiles, files_of, screen, settings_in

app = typer.Typer(no_args_is_help=True, help="Features are data: say what one is, and compute it on a file.")

Text = Annotated[
    str,
    typer.Argument(metavar="SPEC", help="A window, 'count(requests) by card over 10m', or a formula, 'amount / (1 + distance)'."),
]
ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="The config, for the columns of a model and its skew.")]
ModelName = Annotated[str | None, typer.Option("--model", "-m", help="Which model, where the config has several.")]
TimeColumn = Annotated[str | None, typer.Option("--time", help="The file's column of times.")]
LabelColumn = Annotated[str | None, typer.Option("--label", help="The file's column of labels.")]
LabelTime = Annotated[str | None, typer.Option("--label-time", help="The file's column of when labels were known.")]


@app.command()
def explain(
    spec: Text,
    config: ConfigFile = None,
    *,
    model: ModelName = None,
    data: Annotated[Path | None, typer.Option(help="Without a config: a parquet file with the columns.")] = None,
    source: SourceFiles = None,
    as_json: Json = False,
) -> None:
    """Show a feature as text, JSON, SQL and ONNX nodes, what it sees, and what its online state takes."""
    from daemon.commands import featured

    files = files_of(source or [])
    found = featured.explain(spec, featured.about(settings_in(config) if config else None, model, data, {}, files))
    if as_json:
        screen().data(found)
        return
    show = screen()
    show.title(found.text)
    show.line(f"{found.kind} {found.name}; reads {', '.join(found.reads) or 'no column'}; sees {found.sees}")
    if found.state:
        show.line(f"state: {found.state['bytes_per_fact']} bytes a fact in reach and {found.state['bytes_per_key']} a key")
    show.line("ONNX: " + ", ".join(f"{name} x {count}" if count > 1 else name for name, count in found.nodes.items()))
    show.line("JSON: " + json.dumps(found.spec))
    show.title("SQL")
    show.line(found.sql)


@app.command("try")
def try_feature(
    spec: Text,
    data: Annotated[Path, typer.Option(help="A parquet file, one row a request.")],
    config: ConfigFile = None,
    *,
    model: ModelName = None,
    time: TimeColumn = None,
    label: LabelColumn = None,
    label_time: LabelTime = None,
    source: SourceFiles = None,
    rows: Annotated[int, typer.Option(min=0, max=1_000, help="Show so many of the last rows.")] = 10,
    out: Annotated[Path | None, typer.Option(help="Write all values to this parquet file.")] = None,
    as_json: Json = False,
) -> None:
    """Compute a feature for every row of a file, point in time, as training would."""
    from daemon.commands import featured
    from daemon.commands.screen import when

    given = {"time": time, "label": label, "label_time": label_time}
    roles = {role: column for role, column in given.items() if column is not None}
    files = files_of(source or [])
    about = featured.about(settings_in(config) if config else None, model, data, roles, files)
    found = featured.try_on(spec, about, data)
    summary, last = found.summary(), found.last(rows)
    if out is not None:
        found.table().to_parquet(out, index=False)
    if as_json:
        screen().data({**summary, "last": last})
        return
    if last:
        names = [name for name in last[0] if name != "time_ms"]
        screen().table(("time", *names), ((when(row["time_ms"]), *(row[name] for name in names)) for row in last))
    screen().table(tuple(f"{name}#" for name in summary), [tuple(summary.values())])
