"""Train XGBoost on a data set, export it with its preprocessing as one ONNX graph, and publish the bundle.

Where one class is rare, not all rows of the other are fitted, as in a case-control study: with m controls per case the
variance is (m + 1) / m of the one with all of them (on that ratio: Wacholder, S. et al. (1992), "Selection of controls in
case-control studies III", American Journal of Epidemiology 135, 1042-1050). Trees that split small groups off lose a bit more
than that: on card payments with 0.9 % fraud and 112 a case in all, 20 a case cost 0.007 to 0.020 of average precision, 50 at
most 0.004. 30 cost 0.002 ± 0.004 against 50 over five ranges of time, but 0.002 on average, at most 0.010, in whole replays of
card payments, with a challenger more that should not have been promoted. Weights keep the scores calibrated. Early stopping
watches rows thinned alike, and the graph is compared with the booster on the rows fitted; what is measured, described or
compared with a champion is so on all rows.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from skills._kit.boosting import DEFAULTS, Fitted, Fold, fit, predict
from skills._kit.design import thinned
from skills._kit.errors import NoDataError
from skills._kit.export import (
    categories_of,
    draft,
    golden_of,
    golden_rows,
    largest_difference,
    libraries,
    matrix_of,
    merged,
)
from skills._kit.features import longest_reach_ms
from skills._kit.frames import Floats, Integers, Singles, floats, integers, read_table, with_columns
from skills._kit.importance import importance_of
from skills._kit.metrics import validated
from skills._kit.profiles import (
    profile_of,
    reference_of,
    sliced,
    with_answers,
    with_column_losses,
    with_outcomes,
    with_scores,
)
from skills._kit.scoring import Inputs, score_table
from skills._kit.seen import as_served
from skills._kit.skill import Need, Spec
from skills._kit.sources import facts_of, keys_of, manifest_of, schema_of
from skills._kit.usual import Later, Rows, Watch, normal_of
from streams.contracts.bundle import Golden, Interval, Manifest, Normal, Profile
from streams.contracts.features import Window
from streams.contracts.schema import ModelSchema, SourceSchema
from streams.inference.session import Scorer
from streams.inference.store import Bundle, BundleStore, write_bundle
from streams.lake.lake import Lake
from streams.runtime.clock import SystemClock

LATER = 0.15
LEAST_ROWS = 200
COMMON_PER_RARE = 50
# Fewer rows than this cost nothing, so they are all fitted.
LEAST_THINNED = 20_000


class Input(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`windows` are all windows of the new model; one that `train` lacks is computed from the lake.

    Without a champion, `schema` and `skew_ms` say what its manifest would; `sources` are those that were registered since.
    `parameters` are XGBoost's names and `rounds`, `patience`, `threads`, `device`. `watch` is how the model is going to be
    watched; without it nothing is learnt of how often chance raises an alarm. From `since_ms` on rows are new to the champion:
    the model is validated on the later half of them, since one that has seen none says nothing of what it will be worth.
    """

    lake: str
    registry: str
    model: str
    champion: str | None = None
    train: str
    windows: tuple[Window, ...] = ()
    parameters: dict[str, Any] = {}
    seed: int = 0
    since_ms: int | None = None
    lineage: dict[str, Any] = {}
    schema: ModelSchema | None = None
    skew_ms: int = 0
    sources: tuple[SourceSchema, ...] | None = None
    watch: Watch | None = None


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """The published bundle; metrics are of the last 15 % of rows by a model that hadn't seen them."""

    digest: str
    metrics: dict[str, Interval]
    rows: int
    seconds: float
    device: str
    onnx_max_difference: float


SPEC = Spec(
    summary="Train XGBoost and publish the bundle",
    input=Input,
    output=Output,
    need=Need(seconds=900, memory_mb=6_144, gpu="optional"),
    changes=("registry",),
)


class _Thinned(NamedTuple):
    """Rows to fit or to watch, and which of all they are [rows]."""

    places: Integers
    rows: Fold


class _Judged(NamedTuple):
    """What the inner validation said: the number of rounds, and the later rows with their scores."""

    rounds: int
    later: Later


def run(request: Input, work: Path) -> Output:
    """Train, prove parity, publish. Same input, same digest.

    Raises:
        SkillError: too few rows, one class only, `parity_fail`, or something can't be read.
    """
    clock = SystemClock()
    begun = clock.monotonic()
    manifest = manifest_of(request.registry, request.model, request.champion) if request.champion else None
    skew_ms = manifest.skew_ms if manifest else request.skew_ms
    schema = schema_of(manifest, request.schema, request.sources)
    inputs = Inputs(schema, tuple(dict.fromkeys(request.windows)), manifest.expressions if manifest else ())
    table = _rows(request, inputs, skew_ms)
    judged = _validate(request, inputs, table)
    metrics = validated(schema.task, judged.later.labels, judged.later.scores, request.seed)
    everything = np.ones(table.num_rows, dtype=np.bool_)
    graph, matrix = matrix_of(inputs, categories_of(schema, table, everything), table)
    parameters = {**request.parameters, "rounds": judged.rounds}
    fold = _fold(schema.task, matrix, floats(table, "label"), request.seed)
    fitted = fit(schema.task, fold.rows, parameters, request.seed)
    model = merged(graph, fitted.booster, inputs, matrix.shape[1]).SerializeToString(deterministic=True)
    generator = np.random.default_rng(request.seed)
    names = [window.name for window in inputs.windows]
    before = draft(request.model, inputs, skew_ms, Golden(columns=[], windows=[], time_ms=[], scores=[]))
    profile = profile_of(schema, table, names, judged.later, generator)
    begins = table.num_rows - len(judged.later.scores)
    scorer = Scorer(Bundle("", before, model, profile))
    answers = score_table(scorer, table.slice(begins))
    later = judged.later._replace(served=as_served(judged.later.scores, answers, generator))
    threshold = manifest.threshold if manifest else 0.5
    profile = with_outcomes(with_answers(profile, later, generator), schema.task, later, threshold)
    seen = Rows(table, later, predict(fitted.booster, matrix[:begins]))
    profile = with_column_losses(profile, schema.task, seen)
    profile = msgspec.structs.replace(profile, importance=importance_of(fitted.booster, inputs))
    reference = with_scores(reference_of(schema, table, names, generator), seen)
    if request.watch is not None:
        profile = sliced(profile, schema, request.watch, seen)
        normal = normal_of(
            request.watch,
            before,
            profile,
            seen,
            request.seed,
            reference=reference,
            before=_usual(request, schema),
            open_graph=lambda: scorer.score_rows,
        )
        profile = msgspec.structs.replace(profile, normal=normal)
    # The rows that made the trees reach every leaf of them.
    apart = largest_difference(fitted.booster, fold.rows.matrix, score_table(scorer, table.take(pa.array(fold.places))))
    rows = golden_rows(table)
    done = msgspec.structs.replace(
        before,
        golden=golden_of(inputs, rows, score_table(scorer, rows).tolist()),
        threshold=threshold,
        metrics=metrics,
        lineage=_lineage(request, fitted, len(fold.places), apart),
    )
    digest = _publish(request, work, done, (model, reference.rows, profile))
    return Output(
        digest=digest,
        metrics=metrics,
        rows=table.num_rows,
        seconds=clock.monotonic() - begun,
        device=fitted.device,
        onnx_max_difference=apart,
    )


def _usual(request: Input, schema: ModelSchema) -> Normal | None:
    """Return what is usual under the champion, if requests of it have the same columns."""
    if request.champion is None:
        return None
    champion = BundleStore(Path(request.registry)).read(request.model, request.champion)
    return champion.profile.normal if champion.manifest.schema.columns == schema.columns else None


def _rows(request: Input, inputs: Inputs, skew_ms: int) -> pa.Table:
    table = read_table(request.train).sort_by([("time_ms", "ascending"), ("id", "ascending")])
    if table.num_rows < LEAST_ROWS:
        raise NoDataError(f"{table.num_rows} rows are too few to train; at least {LEAST_ROWS} are needed")
    missing = [window for window in inputs.windows if window.name not in table.column_names]
    if not missing:
        return table
    time_ms = integers(table, "time_ms")
    since_ms = max(0, int(time_ms.min()) - longest_reach_ms(missing, skew_ms))
    lake = Lake(request.lake)
    until_ms, keys = int(time_ms.max()) + 1, keys_of(missing)
    facts = facts_of(lake, request.model, inputs.schema, skew_ms, since_ms=since_ms, until_ms=until_ms, keys=keys)
    values = facts.columns(missing, table)
    return with_columns(table, [window.name for window in missing], [values[:, i] for i in range(len(missing))])


def _validate(request: Input, inputs: Inputs, table: pa.Table) -> _Judged:
    """Train on the earlier rows whose labels were known when the later ones began; stop early on the later ones.

    Where the later ones are half of what is new, labels may take longer than that: all that are known by now count.
    """
    time_ms, labels = integers(table, "time_ms"), floats(table, "label")
    usual = round(table.num_rows * (1 - LATER))
    begins = max(usual, _half_of_new(time_ms, request.since_ms))
    later = np.arange(table.num_rows) >= begins
    learning = ~later if begins > usual else ~later & (integers(table, "known_ms") < time_ms[begins])
    if learning.sum() < LEAST_ROWS / 2:
        raise NoDataError("labels become known too late to validate on the last rows; use a longer range")
    _, matrix = matrix_of(inputs, categories_of(inputs.schema, table, learning), table)
    task = inputs.schema.task
    train, watch = (_fold(task, matrix[rows], labels[rows], request.seed).rows for rows in (learning, later))
    fitted = fit(task, train, request.parameters, request.seed, watch)
    known_ms = integers(table, "known_ms")
    return _Judged(fitted.rounds, Later(time_ms[later], known_ms[later], labels[later], predict(fitted.booster, matrix[later])))


def _half_of_new(time_ms: Integers, since_ms: int | None) -> int:
    """Return where the later half begins of the rows since then; 0 where nothing is new, everything, or too little to go by."""
    first = len(time_ms) if since_ms is None else int(np.searchsorted(time_ms, since_ms))
    number = len(time_ms) - first
    return first + number // 2 if first and number >= LEAST_ROWS else 0


def _fold(task: str, matrix: Singles, labels: Floats, seed: int) -> _Thinned:
    """Return the rows to learn from: all of the rarer class, at most `COMMON_PER_RARE` of the other for each, with weights."""
    most_rows = len(labels)
    if task == "binary":
        positives = int((labels > 0.5).sum())
        rare = min(positives, len(labels) - positives)
        most_rows = max(LEAST_THINNED, (1 + COMMON_PER_RARE) * rare)
    if len(labels) <= most_rows:
        return _Thinned(np.arange(len(labels)), Fold(matrix, labels))
    index, weights = thinned(labels, task, most_rows, np.random.default_rng(seed))
    return _Thinned(index, Fold(matrix[index], labels[index], weights))


def _lineage(request: Input, fitted: Fitted, rows: int, apart: float) -> dict[str, Any]:
    return {
        **request.lineage,
        "train_sha256": hashlib.sha256(Path(request.train).read_bytes()).hexdigest(),
        "parameters": {**DEFAULTS, **request.parameters},
        "rounds": fitted.rounds,
        "fitted_rows": rows,
        "device": fitted.device,
        "seed": request.seed,
        "onnx_max_difference": apart,
        "libraries": libraries(),
    }


def _publish(request: Input, work: Path, manifest: Manifest, parts: tuple[bytes, pa.Table, Profile]) -> str:
    folder = work / "bundle"
    write_bundle(folder, manifest, *parts)
    return BundleStore(Path(request.registry)).publish(request.model, folder)
