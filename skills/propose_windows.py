"""Search for windows over past requests and known outcomes that make the model better, and say how sure that is."""

from __future__ import annotations

from pathlib import Path

import msgspec

from skills._kit.errors import NoDataError
from skills._kit.frames import integers, read_table
from skills._kit.grammar import LOOKUP_RANGES_MS, RANGES_MS
from skills._kit.search import Found, Question, search
from skills._kit.skill import Need, Spec
from skills._kit.sources import facts_of, manifest_of, schema_of
from streams.contracts.features import Window
from streams.contracts.schema import SourceSchema
from streams.lake.lake import Lake
from streams.runtime.clock import SystemClock


class Input(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`train` is a data set of `build_dataset`; facts are read up to `until_ms`, which may not lie in the sealed range.

    `sources` are registered by now, maybe not yet when the champion was trained. From `since_ms` on rows are new to the model:
    windows are chosen and confirmed on those, None: on all.
    """

    lake: str
    registry: str
    model: str
    champion: str
    train: str
    until_ms: int
    seed: int = 0
    budget_seconds: float = 120.0
    since_ms: int | None = None
    sources: tuple[SourceSchema, ...] | None = None


class AcceptedWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A window to use: gain is the loss per row saved on unseen rows with its 95 % interval; the p-value is corrected."""

    window: Window
    text: str
    gain: float
    low: float
    high: float
    p_value: float


class RejectedWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A window that was tried and left, and why."""

    window: Window
    text: str
    reason: str


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """What the search found; `rejected` names the most promising of the `tried` ones that were left.

    `untried` says why nothing could be tried, as where labels take too long to judge a window on later rows; empty: it was.
    """

    accepted: list[AcceptedWindow]
    rejected: list[RejectedWindow]
    tried: int
    untried: str = ""


SPEC = Spec(
    summary="Search for windows that make the model better",
    input=Input,
    output=Output,
    need=Need(seconds=600, memory_mb=4_096),
)


def run(request: Input, work: Path) -> Output:
    """Search, deterministic for the seed. Where nothing can be tried nothing is found: a training can go on without.

    Raises:
        SkillError: something can't be read.
    """
    del work  # nothing is written
    manifest = manifest_of(request.registry, request.model, request.champion)
    train = read_table(request.train)
    train = train.sort_by([("time_ms", "ascending"), ("id", "ascending")])
    time_ms = integers(train, "time_ms")
    first = int(time_ms.min(initial=request.until_ms))
    schema = schema_of(manifest, None, request.sources)
    since_ms = max(0, first - max(LOOKUP_RANGES_MS if schema.sources else RANGES_MS) - manifest.skew_ms)
    facts = facts_of(Lake(request.lake), request.model, schema, manifest.skew_ms, since_ms=since_ms, until_ms=request.until_ms)
    known = tuple(window for window in manifest.windows if window.name in train.column_names)
    rate = len(time_ms) / max(request.until_ms - first, 1)
    question = Question(train, known, facts, rate, request.seed, request.budget_seconds, request.since_ms)
    try:
        return _answer(search(question, SystemClock()))
    except NoDataError as error:
        return Output(accepted=[], rejected=[], tried=0, untried=str(error))


def _answer(found: Found) -> Output:
    return Output(
        accepted=[
            AcceptedWindow(
                window=one.candidate.window,
                text=one.candidate.window.text,
                gain=one.gain.value,
                low=one.gain.low,
                high=one.gain.high,
                p_value=one.gain.p_value,
            )
            for one in found.accepted
        ],
        rejected=[
            RejectedWindow(window=one.candidate.window, text=one.candidate.window.text, reason=one.reason)
            for one in found.rejected
        ],
        tried=found.tried,
    )
