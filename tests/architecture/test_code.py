import ast
import re
from collections.abc import Iterator
from pathlib import Path

from streams.runtime.logging import EVENTS
from streams.runtime.metrics import TABLE
from tests.kit.sources import ROOT, dotted, imports, is_in, name_of, product, tracked, tree

LONGEST_FILE = 400
LONGEST_LOOP = 150
TOO_LONG: dict[str, str] = {}
"""Files over the limit, and why. It may only become shorter."""

BANNED_MODULES = ("pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve")
BANNED_CALLS = {
    "time.time": "the injected clock", "time.sleep": "an event or the injected clock", "eval": "a parser", "exec": "nothing",
    "asyncio.create_task": "the service or supervisor that owns it", "asyncio.ensure_future": "the service that owns it",
    "datetime.utcnow": "the injected clock", "datetime.datetime.utcnow": "the injected clock", "print": "the screen",
    "os.getenv": "streams/runtime/config.py", "os.system": "a child process with arguments",
}  # fmt: skip
LOGGING = "streams/runtime/logging.py"
OF_THE_LOG_ITSELF = frozenset({"LibraryLogged"})
ENVIRONMENT = "streams/runtime/config.py"
LOG_METHODS = {"debug", "info", "warning", "error", "exception"}
PARTS = "build|stage|observing|serving|joining|measuring|monitoring|archiving|daemon"
METRIC = re.compile(f"driftwake_({PARTS})_[a-z_]+$")
UNCOUNTED: dict[str, str] = {}
"""Metrics that nobody counts yet, and why. It may only become shorter."""


def calls(file: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Call):
            yield dotted(node.func), node


def strings(file: Path) -> Iterator[str]:
    return (node.value for node in ast.walk(tree(file)) if isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_files_are_read_in_one_sitting():
    files = [file for file in tracked() if file.suffix == ".py"]
    assert len(files) > 100
    for file in files:
        lines = len(file.read_text("utf-8").splitlines())
        listed = name_of(file) in TOO_LONG
        assert (lines > LONGEST_FILE) == listed, f"{name_of(file)} has {lines} lines; the limit is {LONGEST_FILE}"
    assert all((ROOT / name).is_file() for name in TOO_LONG)


def test_the_loop_stays_short():
    assert 20 < len((ROOT / "daemon/loop.py").read_text("utf-8").splitlines()) < LONGEST_LOOP


def test_nothing_unpickles():
    files = product()
    assert files
    for file in files:
        bad = [module for module in imports(file) if any(is_in(module, banned) for banned in BANNED_MODULES)]
        assert not bad, f"{name_of(file)} imports {bad}: what a pickle holds runs when it is read"


def test_no_banned_call():
    seen = 0
    for file in product():
        for name, node in calls(file):
            seen += 1
            assert name not in BANNED_CALLS, f"{name_of(file)}:{node.lineno} calls {name}: use {BANNED_CALLS[name]}"
    assert seen > 1_000


def test_the_environment_is_read_in_one_place():
    readers = {
        name_of(file) for file in product() for node in ast.walk(tree(file)) if dotted(node) in {"os.environ", "os.environb"}
    }
    assert readers == {ENVIRONMENT}


def test_log_events_are_a_closed_set():
    seen: set[str] = set()
    for file in product():
        for name, node in calls(file) if name_of(file) != LOGGING else ():
            owner, _, method = name.rpartition(".")
            if method not in LOG_METHODS or owner.rpartition(".")[2].lstrip("_") not in {"log", "logger"}:
                continue
            assert node.args, f"{name_of(file)}:{node.lineno}"
            event = node.args[0]
            assert isinstance(event, ast.Constant), f"{name_of(file)}:{node.lineno}: name the event literally"
            assert event.value in EVENTS, (
                f"{name_of(file)}:{node.lineno}: add {event.value} to EventName in streams/runtime/logging.py"
            )
            seen.add(str(event.value))
    assert len(seen) > 10
    assert not EVENTS - seen - OF_THE_LOG_ITSELF, f"never logged, remove them from EventName ({LOGGING})"


def test_metrics_are_those_of_the_table_and_each_is_counted():
    table = ROOT / "streams/runtime/metrics.py"
    used = {text for file in product() if file != table for text in strings(file) if METRIC.match(text)}
    assert used
    assert not used - set(TABLE), f"these metrics are in no row of the table: {used - set(TABLE)}"
    uncounted = set(TABLE) - used
    assert uncounted == set(UNCOUNTED), f"nobody counts, or listed in vain: {uncounted ^ set(UNCOUNTED)}"
