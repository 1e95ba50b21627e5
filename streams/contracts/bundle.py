"""The bundle: the unit that is trained, judged and swapped. Content-addressed and immutable.

A bundle is a folder of four files: `model.onnx`, `manifest.json`, `reference.parquet`, `profile.json`. Its digest is the
SHA-256 of the canonical manifest, which holds the SHA-256 of the other three, so the digest vouches for all of them.

The graph takes a row's columns in three inputs and gives one output:

- `numbers`: float32 [rows, numeric feature columns in schema order], missing is NaN;
- `categories`: string [rows, categorical feature columns in schema order], missing is the empty string;
- `windows`: float32 [rows, windows in manifest order], missing is NaN (absent when there are no windows);
- `time`: int64 [rows], event time in milliseconds (absent when no expression reads it);
- output `score`: float32 [rows], a probability for `binary`, a value for `regression`.

Inputs with no columns are absent from the graph.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from streams.contracts.features import Expression, Window
from streams.contracts.schema import ModelSchema
from streams.contracts.slices import Slice

MODEL_FILE = "model.onnx"
MANIFEST_FILE = "manifest.json"
REFERENCE_FILE = "reference.parquet"
PROFILE_FILE = "profile.json"
FORMAT = 1
STAND_IN = "stand_in"
"""In the lineage of a bundle that stands for a model that is served elsewhere: how near its graph comes to that model."""


class Interval(msgspec.Struct, frozen=True):
    """A measured number with its confidence interval (95 % unless a field says otherwise)."""

    value: float
    low: float
    high: float


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """Rows with the answers the exporter measured; a loaded session must give the same within 1e-5."""

    columns: list[dict[str, float | str | None]]
    windows: list[dict[str, float | None]]
    time_ms: list[int]
    scores: list[float]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle is and where it comes from."""

    format: int = FORMAT
    model: str
    schema: ModelSchema
    windows: tuple[Window, ...] = ()
    expressions: tuple[Expression, ...] = ()
    skew_ms: int = 0
    threshold: float = 0.5
    metrics: dict[str, Interval] = {}
    golden: Golden
    lineage: dict[str, Any] = {}
    sha256: dict[str, str] = {}

    @property
    def is_stand_in(self) -> bool:
        """Whether its graph only imitates a model that is served elsewhere: what that one answered, its records say."""
        return STAND_IN in self.lineage

    @property
    def lake_versions(self) -> dict[str, int]:
        """The versions of the lake's tables that the bundle was trained on, by table; a lineage of someone else's has none."""
        named = self.lineage.get("versions")
        if not isinstance(named, dict):
            return {}
        return {str(table): version for table, version in named.items() if type(version) is int and version >= 0}

    @property
    def digest(self) -> str:
        """The address of a bundle with this manifest, 64 hex digits; of one that was read, hash the bytes that were read."""
        return hashlib.sha256(encode_manifest(self)).hexdigest()


def encode_manifest(manifest: Manifest) -> bytes:
    """Encode canonically: same manifest, same bytes."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=1)


def decode_manifest(data: bytes) -> Manifest:
    """Decode a manifest.

    Raises:
        msgspec.ValidationError: a field is missing or has the wrong type.
        ContractError: the schema or a spec has no meaning.
    """
    return msgspec.json.decode(data, type=Manifest)


class NumberProfile(msgspec.Struct, frozen=True, kw_only=True):
    """The reference distribution of a numeric column (or window): inner quantile bin edges and shares.

    `shares[i]` belongs to the bin left of `edges[i]` (values equal to an edge go right); `sample` is a sorted sample. `loss` is
    the mean loss of each bin's rows that the model hadn't seen, empty where nobody measured.
    """

    edges: list[float]
    shares: list[float]
    missing: float
    low: float
    high: float
    sample: list[float]
    loss: list[float] = []


class CategoryProfile(msgspec.Struct, frozen=True, kw_only=True):
    """The reference distribution of a categorical column; `loss` is as for a number, by category."""

    shares: dict[str, float]
    missing: float
    loss: dict[str, float] = {}


class ScoreOutcomes(msgspec.Struct, frozen=True, kw_only=True):
    """What became of rows that the model hadn't seen, by the bins of its score: how many there were, and their mean loss.

    For binary models how many of them had a positive label, how many the threshold has right, and how well the score orders the
    rows within the bin (the area under the ROC curve of its rows alone, 0.5 where it isn't known); for regression all are empty.
    """

    rows: list[int]
    loss: list[float]
    positives: list[int] = []
    right: list[int] = []
    within: list[float] = []


class SliceProfile(msgspec.Struct, frozen=True, kw_only=True):
    """A slice, and the loss of its rows that the model hadn't seen: how many there were, mean, deviation and third moment.

    One that isn't declared was cut by the training, so that none of the model's weak spots goes unwatched.
    """

    slice: Slice
    rows: int
    loss_mean: float
    loss_std: float
    loss_skew: float = 0.0
    is_declared: bool = True


class Usual(msgspec.Struct, frozen=True, kw_only=True):
    """What is usual of one signal of a monitor, in standard deviations of a row; see `streams/statistics`.

    The season is a level, and what weekdays [7], hours [24] and hours of the week [168] add to it, the lists empty where they add
    nothing (the first weekday is Thursday). `wandering` and `unrest` are variances, `persistence` is a bucket's. `width` is
    by how much the history's surprises are wider than normal ones, at least 1. All of it was measured on `rows` rows in
    `buckets`.
    """

    level: float = 0.0
    weekday: list[float] = []
    hour: list[float] = []
    hour_of_week: list[float] = []
    wandering: float = 0.0
    persistence: float = 0.0
    unrest: float = 0.0
    width: float = 1.0
    rows: float
    buckets: int


class Normal(msgspec.Struct, frozen=True, kw_only=True):
    """What is usual of a model's signals, by detector and name, and how often chance raises an alarm over all of them together.

    Measured on `buckets` buckets of `bucket_ms` between two event times, for alarms that are confirmed after `confirm_after`
    buckets and over after `clear_after`. Above the improbability `level` (-log10) alarms begin by chance at `rate` a bucket, and
    less by the factor e for each `excess` more. Seasons are of the hours and weekdays of `timezone`. After `label_delay_ms`
    nearly all labels that ever come have come; 0 where nobody measured.
    """

    bucket_ms: int
    since_ms: int
    until_ms: int
    buckets: int
    confirm_after: int
    clear_after: int
    level: float
    rate: float
    excess: float
    signals: dict[str, dict[str, Usual]]
    timezone: str = "UTC"
    label_delay_ms: int = 0


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What is normal under this bundle: reference distributions, and moments of a row's label, loss and residual.

    `rows` is the size of the reference, `later_rows` how many of them the model hadn't seen: those behind score, loss and the
    counts by label. `loss_skew` is the third moment of the standardised loss; `positives` and `negatives` count rows that the
    model hadn't seen by label and score (`SCORE_BINS` equal bins of [0, 1]; empty for regression). `normal` says what of the
    monitors' signals is usual and how often chance raises an alarm (`streams/calibration`), None when nobody measured.
    `importance` is each feature's share of what the model's splits achieve, empty where nobody knows. `slices` are watched by
    themselves. `outcomes` are by the bins of `score`, None in bundles of before they were counted. `label_mean`, `label_std` and
    `label_skew` are of the reference's labels; the residual is label less score on rows that the model hadn't seen. A deviation
    of 0 means that nobody measured, or that there is nothing to follow.
    """

    rows: int
    later_rows: int = 0
    numbers: dict[str, NumberProfile] = {}
    categories: dict[str, CategoryProfile] = {}
    score: NumberProfile
    label_mean: float
    label_std: float = 0.0
    label_skew: float = 0.0
    loss_mean: float
    loss_std: float
    loss_skew: float = 0.0
    residual_mean: float = 0.0
    residual_std: float = 0.0
    residual_skew: float = 0.0
    positives: list[int] = []
    negatives: list[int] = []
    normal: Normal | None = None
    importance: dict[str, float] = {}
    slices: tuple[SliceProfile, ...] = ()
    outcomes: ScoreOutcomes | None = None
