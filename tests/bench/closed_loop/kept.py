"""Results are written one by one as soon as they are there, so that a run goes on where it stopped."""

from __future__ import annotations

import functools
import hashlib
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import msgspec
from rich.console import Console

from daemon.errors import DaemonError
from streams.contracts.errors import StreamsError
from tests.bench.closed_loop.judged import encode, failed
from tests.bench.closed_loop.playing import Wanted, play
from tests.bench.closed_loop.report.model import ScenarioResult
from tests.bench.closed_loop.scenario import Scenario

_SOURCES = ("daemon", "skills", "streams", "tests/bench")


def result_of(wanted: Wanted, file: Path, scenario: Scenario) -> ScenarioResult:
    """Return the result of before if this code gave it, or play the scenario and keep its result; one that failed isn't kept."""
    key = hashlib.sha256(file.read_bytes() + repr((scenario.seed, sorted(wanted.policies))).encode()).hexdigest()[:16]
    kept = wanted.folder / "results" / f"{scenario.id}-{key}.json"
    if kept.exists():
        before = msgspec.json.decode(kept.read_bytes(), type=ScenarioResult)
        if wanted.older or before.code == code_digest():
            return before
    console, name, began = Console(), f"{scenario.id}, seed {scenario.seed}", time.monotonic()
    console.print(f"{name}: {scenario.title}")
    try:
        result = play(wanted, file, scenario)
    except (DaemonError, StreamsError, ValueError, ExceptionGroup) as error:
        said = "; ".join(f"{type(one).__name__}: {one}" for one in _single(error))
        console.print(f"{name} failed: {said}", style="red", markup=False)
        wanted.folder.mkdir(parents=True, exist_ok=True)
        (wanted.folder / f"{scenario.id}-{scenario.seed}-failed.txt").write_text("".join(traceback.format_exception(error)))
        return failed(scenario, str(scenario.data), said)
    result = msgspec.structs.replace(result, code=code_digest())
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(encode(result))
    held = sum(bar.held is True for bar in result.bars)
    console.print(f"{name} took {time.monotonic() - began:.0f} s: {held} of {len(result.bars)} bars held")
    return result


@functools.cache
def code_digest() -> str:
    """Return a digest of the code that results depend on, so that a report can say which are of another state of it."""
    root = Path(__file__).resolve().parents[3]
    files = sorted(file for source in _SOURCES for file in (root / source).rglob("*.py"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def _single(error: Exception) -> Iterator[Exception]:
    """Take groups apart: what went wrong stands in their leaves."""
    if isinstance(error, ExceptionGroup):
        for one in error.exceptions:
            yield from _single(one)
    else:
        yield error
