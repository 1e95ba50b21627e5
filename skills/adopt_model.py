"""Make the bundle of a model that is served elsewhere, out of what it has answered.

Its reference is what was asked and answered, and its metrics are those of the answers. Its graph is a stand-in: XGBoost fitted to
the scores, which is asked only where a model must be and no answer is (the diagnosis looks for slices with it); how far it is
from the model stands in the lineage, and nothing is judged by it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from skills._kit.boosting import Fold, fit
from skills._kit.errors import InputError, NoDataError
from skills._kit.export import categories_of, draft, golden_of, golden_rows, largest_difference, libraries, matrix_of, merged
from skills._kit.frames import Floats, floats, integers, read_table
from skills._kit.metrics import validated
from skills._kit.profiles import profile_of, reference_of, sliced, with_column_losses, with_outcomes, with_scores
from skills._kit.protected import protected
from skills._kit.scoring import Inputs, score_table
from skills._kit.skill import Need, Spec
from skills._kit.usual import Later, Rows, Watch, normal_of
from streams.contracts.bundle import STAND_IN, Golden, Interval
from streams.contracts.schema import ModelSchema
from streams.inference.session import Scorer
from streams.inference.store import Bundle, BundleStore, write_bundle
from streams.runtime.clock import SystemClock

LATER = 0.15
LEAST_ROWS = 200


class Input(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`table` is a parquet file of labelled rows: `id`, `time_ms`, `label`, `score` (the model's), and the declared columns.

    `key_file` is where the key lies that columns are hashed with; needed where some are protected. `watch` is how the model is
    going to be watched; without it nothing is learnt of how often chance raises an alarm.
    """

    registry: str
    model: str
    table: str
    schema: ModelSchema
    skew_ms: int = 0
    seed: int = 0
    key_file: str | None = None
    watch: Watch | None = None


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """The published bundle; metrics are the model's own; `apart` is the mean distance of the stand-in's scores on later rows."""

    digest: str
    metrics: dict[str, Interval]
    rows: int
    apart: float
    seconds: float


SPEC = Spec(
    summary="Make the bundle of a model that is served elsewhere",
    input=Input,
    output=Output,
    need=Need(seconds=300, memory_mb=4_096),
    changes=("registry",),
)


def run(request: Input, work: Path) -> Output:
    """Describe, imitate, publish. Same input, same digest.

    Raises:
        SkillError: too few rows, scores that can't be, or something can't be read.
    """
    clock = SystemClock()
    begun = clock.monotonic()
    schema = request.schema
    table = protected(read_table(request.table), schema, request.key_file).sort_by(
        [("time_ms", "ascending"), ("id", "ascending")]
    )
    labels, scores = floats(table, "label"), floats(table, "score")
    _check(schema, labels, scores)
    inputs, generator = Inputs(schema, (), ()), np.random.default_rng(request.seed)
    metrics = validated(schema.task, labels, scores, request.seed)
    known = "known_ms" if "known_ms" in table.column_names else "time_ms"
    seen = Later(integers(table, "time_ms"), integers(table, known), labels, scores)
    profile = profile_of(schema, table, (), seen, generator)
    imitated = table.set_column(table.column_names.index("label"), "label", pa.array(scores))
    graph, matrix = matrix_of(inputs, categories_of(schema, imitated, np.ones(len(scores), np.bool_)), imitated)
    begins = round(len(scores) * (1 - LATER))
    early, later = (Fold(matrix[rows], scores[rows]) for rows in (slice(begins), slice(begins, None)))
    booster = fit(schema.task, early, {}, request.seed, later).booster
    model = merged(graph, booster, inputs, matrix.shape[1]).SerializeToString(deterministic=True)
    reference = with_scores(reference_of(schema, table, (), generator), Rows(table, seen))
    before = draft(request.model, inputs, request.skew_ms, Golden(columns=[], windows=[], time_ms=[], scores=[]))
    profile = with_outcomes(profile, schema.task, seen, before.threshold)
    rows = Rows(table, seen)
    profile = with_column_losses(profile, schema.task, rows)
    if request.watch is not None:
        profile = sliced(profile, schema, request.watch, rows)
        normal = normal_of(request.watch, before, profile, rows, request.seed, reference=reference)
        profile = msgspec.structs.replace(profile, normal=normal)
    scorer = Scorer(Bundle("", before, model, profile))
    found = score_table(scorer, table)
    parity, apart = largest_difference(booster, matrix, found), float(np.abs(found - scores)[begins:].mean())
    rows = golden_rows(table)
    done = msgspec.structs.replace(
        before,
        golden=golden_of(inputs, rows, score_table(scorer, rows).tolist()),
        metrics=metrics,
        lineage=_lineage(request, apart, parity),
    )
    folder = work / "bundle"
    write_bundle(folder, done, model, reference.rows, profile)
    digest = BundleStore(Path(request.registry)).publish(request.model, folder)
    return Output(digest=digest, metrics=metrics, rows=table.num_rows, apart=apart, seconds=clock.monotonic() - begun)


def _check(schema: ModelSchema, labels: Floats, scores: Floats) -> None:
    if len(labels) < LEAST_ROWS:
        raise NoDataError(f"{len(labels)} labelled rows are too few to say what is usual; at least {LEAST_ROWS} are needed")
    if not (np.isfinite(labels).all() and np.isfinite(scores).all()):
        raise InputError("every row needs a label and a score that are finite numbers")
    if schema.task == "binary" and not ((scores >= 0) & (scores <= 1)).all():
        raise InputError("the scores of a binary task must be probabilities, from 0 to 1")


def _lineage(request: Input, apart: float, parity: float) -> dict[str, Any]:
    return {
        STAND_IN: {"mean_distance": apart},
        "table_sha256": hashlib.sha256(Path(request.table).read_bytes()).hexdigest(),
        "seed": request.seed,
        "onnx_max_difference": parity,
        "libraries": libraries(),
    }
