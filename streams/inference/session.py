"""A loaded bundle that answers, and how a bundle comes to be loaded: verified, checked, opened, tried, warmed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import ModelProto

from streams.contracts.bundle import Manifest, Profile
from streams.contracts.errors import BundleRefused, ContractError
from streams.contracts.features import Window
from streams.contracts.schema import ModelSchema
from streams.inference.checks import check_model
from streams.inference.graph import MATRIX, SCORE, input_names
from streams.inference.store import Bundle, BundleStore

GOLDEN_TOLERANCE = 1e-5
MAX_GOLDEN_ROWS = 10_000

Column = Sequence[float | str | None] | NDArray[np.float64]
Columns = Mapping[str, Column]


class Scorer:
    """A loaded bundle. It answers many rows at once and may be called from any thread.

    Args:
        bundle: a bundle that was verified and checked.
        threads: how many threads one call may use.

    Raises:
        BundleRefused: the runtime can't open the model.
    """

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        self._manifest = bundle.manifest
        self._digest = bundle.digest
        self._profile = bundle.profile
        schema = bundle.manifest.schema
        self._inputs = input_names(schema, bundle.manifest.windows, bundle.manifest.expressions)
        self._windows = tuple(window.name for window in bundle.manifest.windows)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(bundle.model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises a dozen unrelated classes, which all mean the same here
            raise BundleRefused(f"model file: onnxruntime can't open it: {str(error)[:300]}") from error

    @property
    def manifest(self) -> Manifest:
        """The bundle's manifest."""
        return self._manifest

    @property
    def digest(self) -> str:
        """The bundle's digest."""
        return self._digest

    @property
    def profile(self) -> Profile:
        """What is normal under this bundle."""
        return self._profile

    def score(self, columns: Columns, windows: Columns, time_ms: Sequence[int]) -> NDArray[np.float32]:
        """Score rows given as columns; return float32 [rows], in order.

        `columns` has at least every feature column, `windows` every window of the bundle by its name, each as long as
        `time_ms`; None, NaN and an infinite number are missing. No rows give no scores.
        """
        if len(time_ms) == 0:
            return np.empty(0, np.float32)
        scores: NDArray[np.float32] = self._session.run([SCORE], self._feeds(columns, windows, time_ms))[0]
        return scores

    def score_rows(self, rows: Columns, time_ms: Sequence[int]) -> NDArray[np.float64]:
        """Score rows whose columns and windows lie together, as they do in samples; return float64 [rows].

        What `rows` lacks is missing: samples have no tagged columns.
        """
        schema, unknown = self._manifest.schema, np.full(len(time_ms), np.nan)
        numbers = {name: rows.get(name, unknown) for name in (*schema.numbers, *self._windows)}
        texts = {name: rows.get(name, [""] * len(time_ms)) for name in schema.categories}
        columns: Columns = {**numbers, **texts}
        return self.score(columns, columns, time_ms).astype(np.float64)

    def _feeds(self, columns: Columns, windows: Columns, time_ms: Sequence[int]) -> dict[str, NDArray[Any]]:
        return _feeds_of(self._inputs, self._manifest.schema, self._windows, (columns, windows, time_ms))


def load(store: BundleStore, model: str, digest: str, threads: int = 1, *, is_tried: bool = False) -> Scorer:
    """Load a bundle so that it can be trusted to serve: verify, check, open, answer the golden rows, warm.

    Blocking (tens to hundreds of milliseconds): call it in a thread. One that was tried (`trial.py`) isn't checked once more.

    Raises:
        BundleRefused: any step failed; the text says which and why.
    """
    return open_bundle(store.read(model, digest), threads, is_tried=is_tried)


def open_bundle(bundle: Bundle, threads: int = 1, *, is_tried: bool = False) -> Scorer:
    """Do what `load` does, from a bundle that was already read and verified.

    Raises:
        BundleRefused: a check, the runtime or a golden row failed.
    """
    if not is_tried:
        check_model(bundle.model, bundle.manifest)
    try:
        for window in bundle.manifest.windows:
            window.check(bundle.manifest.schema)
    except ContractError as error:
        raise BundleRefused(f"manifest: {error}") from error
    scorer = Scorer(bundle, threads)
    _answer_golden(scorer)
    return scorer


def graph_of(bundle: Bundle) -> Callable[[Columns, Sequence[int]], NDArray[np.float64]] | None:
    """Open a bundle for one who asks it on one thread what it makes of rows (see `Scorer.score_rows`); let go of it to close it.

    None of one that stands for a model which is served elsewhere: its graph isn't that model.

    Raises:
        BundleRefused: it can't be opened.
    """
    return None if bundle.manifest.is_stand_in else open_bundle(bundle).score_rows


def _answer_golden(scorer: Scorer) -> None:
    """The exporter's own rows must get the exporter's answers; running them also warms the session."""
    golden = scorer.manifest.golden
    rows = len(golden.scores)
    if not 0 < rows <= MAX_GOLDEN_ROWS:
        raise BundleRefused(f"manifest: {rows} golden rows, expected 1 to {MAX_GOLDEN_ROWS}")
    if {len(golden.columns), len(golden.windows), len(golden.time_ms)} != {rows}:
        raise BundleRefused("manifest: golden columns, windows, times and scores differ in length")
    schema = scorer.manifest.schema
    columns = {column.name: [row.get(column.name) for row in golden.columns] for column in schema.features}
    windows = {window.name: [row.get(window.name) for row in golden.windows] for window in scorer.manifest.windows}
    try:
        answers = scorer.score(columns, windows, golden.time_ms)
    except Exception as error:  # a value of the wrong type, or whatever onnxruntime raises
        raise BundleRefused(f"golden rows: scoring them failed: {str(error)[:300]}") from error
    if answers.shape != (rows,) or not np.isfinite(answers).all():
        raise BundleRefused("golden rows: the model gave no finite score for each row")
    apart = float(np.abs(answers - np.asarray(golden.scores, np.float64)).max())
    if not apart <= GOLDEN_TOLERANCE:
        raise BundleRefused(f"golden rows: scores are off by up to {apart:.3g}, allowed is {GOLDEN_TOLERANCE:g}")


def feature_matrix(
    preprocessing: ModelProto,
    schema: ModelSchema,
    windows: Sequence[Window],
    *,
    columns: Columns,
    values: Columns,
    time_ms: Sequence[int],
) -> NDArray[np.float32]:
    """Run a graph of `preprocessing_graph` alone: what training sees of the rows, float32 [rows, features].

    `columns`, `values` (of the windows) and `time_ms` are as for `Scorer.score`.

    Raises:
        BundleRefused: the runtime can't run the graph.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        runtime = ort.InferenceSession(preprocessing.SerializeToString(), options, providers=["CPUExecutionProvider"])
        inputs = tuple(value.name for value in runtime.get_inputs())
        feeds = _feeds_of(inputs, schema, tuple(window.name for window in windows), (columns, values, time_ms))
        matrix: NDArray[np.float32] = runtime.run([MATRIX], feeds)[0]
    except Exception as error:  # as above: unrelated classes, one meaning
        raise BundleRefused(f"preprocessing graph: {str(error)[:300]}") from error
    return matrix


def _feeds_of(
    inputs: Sequence[str], schema: ModelSchema, windows: Sequence[str], rows: tuple[Columns, Columns, Sequence[int]]
) -> dict[str, NDArray[Any]]:
    columns, values, time_ms = rows
    feeds: dict[str, NDArray[Any]] = {}
    for name in inputs:
        if name == "numbers":
            feeds[name] = _numbers(columns, schema.numbers)
        elif name == "windows":
            feeds[name] = _numbers(values, windows)
        elif name == "categories":
            feeds[name] = _strings(columns, schema.categories)
        else:
            feeds[name] = np.asarray(time_ms, np.int64)
    return feeds


def _numbers(columns: Columns, names: Sequence[str]) -> NDArray[np.float32]:
    """Return float32 [rows, names]; None, infinities and what float32 can't hold become NaN."""
    with np.errstate(over="ignore"):
        table = np.array([columns[name] for name in names], np.float32).T
    return np.ascontiguousarray(np.where(np.isinf(table), np.float32(np.nan), table))


def _strings(columns: Columns, names: Sequence[str]) -> NDArray[np.object_]:
    """Return strings [rows, names]; None becomes the empty string."""
    table = [["" if value is None else value for value in columns[name]] for name in names]
    return np.ascontiguousarray(np.array(table, object).T)
