"""`driftwake`: the command line.

Exit status: 0 it went well, 1 it failed, 2 the input was bad and nothing was done. The commands' own modules are imported when
they run, so that `--help` answers at once.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.commands import audits, features, goals, memory, orders, quarantine, tokens, views
from daemon.commands.errors import BadInputError
from daemon.commands.options import (
    BAD_INPUT,
    DEFAULT_CONFIG,
    FAILED,
    Config,
    Json,
    Model,
    SourceFiles,
    TokenFile,
    Url,
    files_of,
    notes,
    screen,
    settings_in,
)
from daemon.errors import DaemonError, LogRefusedError
from streams.contracts.errors import ConfigError, StreamsError

BENCH = "tests.bench.closed_loop.command"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Keeps models on Kafka streams healthy: watches for drift, retrains, proves the challenger, swaps it in.",
)


@app.command()
def demo(
    data_dir: Annotated[Path, typer.Option(help="Where the demo keeps its data; emptied first.")] = Path(".driftwake/demo"),
    report: Annotated[Path, typer.Option(help="The report's file.")] = Path("driftwake-report.html"),
) -> None:
    """Show the whole loop on real data: half a year of flights in minutes, with a report at the end."""
    raise typer.Exit(_call("daemon.demo.run:run_demo", data_dir=data_dir, report=report))


@app.command()
def up(config: Config = DEFAULT_CONFIG) -> None:
    """Run driftwake on your topics and models until it is stopped."""
    settings = settings_in(config)
    raise typer.Exit(_call("daemon.running:run_up", settings=settings, config=config))


@app.command()
def worker(
    config: Config = DEFAULT_CONFIG,
    *,
    number: Annotated[int, typer.Option(min=1, help="Of this worker among those with the same data_dir.")] = 2,
) -> None:
    """Run one more process of the data plane, beside those of `up` or on another machine; they share the partitions."""
    settings = settings_in(config)
    raise typer.Exit(_call("daemon.commands.working:run_worker", settings=settings, number=number))


@app.command()
def replay(  # noqa: PLR0917 - the command's options, given by name
    data: Annotated[Path, typer.Option(help="A recorded log: a parquet file with the columns that the model's `log` names.")],
    config: Config = DEFAULT_CONFIG,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Which model, where the config has several.")] = None,
    data_dir: Annotated[Path, typer.Option(help="Where the replay keeps its data; emptied first.")] = Path(".driftwake/replay"),
    report: Annotated[Path, typer.Option(help="The report's file.")] = Path("driftwake-replay.html"),
    train_days: Annotated[int, typer.Option(min=1, help="Days of the log that train the first champion.")] = 60,
    bucket_minutes: Annotated[int, typer.Option(min=1, help="Event time that is released at once.")] = 60,
    source: SourceFiles = None,
) -> None:
    """Show what driftwake would have done on your own log: it runs the whole loop on it and reports."""
    from daemon.replay.run import Request

    settings = settings_in(config)
    names = [one.name for one in settings.models]
    chosen = model or names[0]
    if chosen not in names or (model is None and len(names) > 1):
        raise BadInputError(f"--model: name one of {', '.join(names)}")
    files = files_of(source or [])
    request = Request(config, chosen, data, files, data_dir, report, train_days, bucket_minutes * 60_000)
    raise typer.Exit(_call("daemon.replay.run:run_replay", request=request))


@app.command()
def adopt(
    model: Model,
    data: Annotated[Path, typer.Option(help="A log of what it answered: a parquet file with the columns of the model's `log`.")],
    config: Config = DEFAULT_CONFIG,
    *,
    as_json: Json = False,
) -> None:
    """Make the first bundle of a model that is served elsewhere: what is usual for it, out of a log with labels and scores."""
    from daemon.commands import adopting

    found = adopting.adopt(settings_in(config), model, data)
    if as_json:
        screen().data(found)
        return
    for name, one in found["metrics"].items():
        screen().line(f"{name} of the model: {one['value']:.4f} ({one['low']:.4f} to {one['high']:.4f})")
    screen().line(f"{found['rows']} labelled rows; the stand-in's scores are {found['apart']:.4f} off on average")
    screen().line(f"It is in the registry; name it as the model's first champion in the config:\n    bundle: {found['digest']}")


@app.command()
def calibrate(
    *,
    data: Annotated[Path, typer.Option(help="A log of its requests: a parquet file with the columns of the model's `log`.")],
    config: Config = DEFAULT_CONFIG,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Which model, where the config has several.")] = None,
    bundle: Annotated[str | None, typer.Option(help="A bundle's folder or digest; the champion unless given.")] = None,
    source: SourceFiles = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Calibrate what the log is long enough for, or has labels for; the rest stays.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show it, write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Say what alarms mean on your own history: how many chance raises, how soon changes are found; write the thresholds.

    A log that is too short for `false_alarms_per_month` is refused with the weeks that are missing. What is written is a new
    bundle with the same model, which serves when you deploy it.

    Example: driftwake calibrate --data log.parquet --config my.yaml --dry-run
    """
    from daemon.commands import calibrating

    wanted = calibrating.Wanted(model, data, files_of(source or []), bundle, partial, dry_run)
    found = calibrating.calibrate(settings_in(config), wanted, None if as_json else notes().line)
    if as_json:
        screen().data(found)
    else:
        calibrating.show(found, config, screen())


@app.command()
def mcp(config: Config = DEFAULT_CONFIG, *, url: Url = None, token_file: TokenFile = None) -> None:
    """Let an assistant look on and ask for plans: the Model Context Protocol, on standard input and output.

    It answers from a running daemon in the name of your token, shows no text that came over topics, and approves nothing.
    """
    raise typer.Exit(_call("daemon.commands.assisting:assist", config=config, url=url, token_file=token_file))


@app.command()
def bench(  # noqa: PLR0917 - the command's options, given by name
    scenarios: Annotated[
        list[str] | None, typer.Argument(help="Names (C0, C11a) or files of scenarios; all unless given.")
    ] = None,
    policy: Annotated[list[str] | None, typer.Option(help="Who plays; may be given several times.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How often each scenario is drawn.")] = 1,
    data: Annotated[Path, typer.Option(help="Where the named data sets lie.")] = Path("../shared/data"),
    folder: Annotated[Path, typer.Option(help="Where results are kept, so that a run can go on.")] = Path(".driftwake/bench"),
    report: Annotated[Path, typer.Option(help="The report's file; the same as JSON goes beside it.")] = Path(
        "driftwake-bench.html"
    ),
    jobs: Annotated[int, typer.Option(min=1, help="How many scenarios are played side by side; each takes about 3 GiB.")] = 1,
    older: Annotated[  # noqa: FBT002 - a switch
        bool, typer.Option("--older", help="Play nothing that has a result, though another state of the code gave it.")
    ] = False,
) -> None:
    """Play the closed-loop bench: scenarios with a known truth, driftwake beside other policies. Needs a source checkout."""
    try:
        module = importlib.import_module(BENCH)
    except ModuleNotFoundError as error:
        raise BadInputError("the bench is part of the source tree: run it in a checkout of driftwake") from error
    policies = tuple(policy or module.POLICIES)
    wanted = module.Wanted(tuple(scenarios or ()), policies, seeds, data, folder, report, jobs=jobs, older=older)
    raise typer.Exit(module.run_bench(wanted))


@app.command()
def broker(
    data_dir: Annotated[Path, typer.Option(help="Where Kafka keeps its data.")] = Path(".driftwake/broker"),
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port on loopback; 0 takes a free one.")] = 0,
) -> None:
    """Run the embedded Kafka alone until it is stopped."""
    from daemon.commands.running import broker_alone

    broker_alone(data_dir, port or None, screen())


@app.command()
def skill(
    name: Annotated[str | None, typer.Argument(help="The skill; without it all are listed.")] = None,
    arguments: Annotated[Path | None, typer.Option(help="A JSON file with its arguments.")] = None,
    work: Annotated[Path | None, typer.Option(help="Its work folder; a temporary one unless given.")] = None,
) -> None:
    """Run one skill by hand, as the daemon would."""
    from daemon.commands import trying

    if name is None:
        screen().table(("skill", "what it does"), trying.list_skills())
        return
    if arguments is None:
        raise BadInputError("--arguments is missing: a JSON file with the skill's arguments")
    answer = trying.run_skill(name, arguments, work)
    screen().data(answer)
    if not answer.get("ok"):
        raise typer.Exit(FAILED)


app.add_typer(views.app)
app.add_typer(orders.app)
app.add_typer(audits.app, name="audit")
app.add_typer(goals.app)
app.add_typer(memory.app)
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(features.app, name="features")
app.add_typer(tokens.app, name="token")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    try:
        app(args=list(arguments) if arguments is not None else None, prog_name="driftwake")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except ConfigError as error:
        return _complain(f"the config can't be used, {len(error.findings)} findings:", *error.findings, code=BAD_INPUT)
    except LogRefusedError as error:
        return _complain(f"{error.file} can't be replayed, {len(error.findings)} findings:", *error.findings, code=BAD_INPUT)
    except BadInputError as error:
        return _complain(str(error), code=BAD_INPUT)
    except (DaemonError, StreamsError) as error:
        return _complain(str(error), code=FAILED)
    return 0


def _complain(*lines: str, code: int) -> int:
    from daemon.commands.screen import Screen

    for line in lines:
        Screen(sys.stderr).line(line, "red")
    return code


def _call(place: str, **arguments: Any) -> int:
    """Call `module:function`, which is imported only now, and return its exit status."""
    module, _, function = place.partition(":")
    return int(getattr(importlib.import_module(module), function)(**arguments))


if __name__ == "__main__":
    sys.exit(main())
