"""An export that sorts its columns: the trees read the features in alphabetical order, not in the one they were trained with.

The mistake is the pipeline's own, so the bundle's golden rows have the wrong graph's answers, and it proves its own parity.
"""

from __future__ import annotations

import msgspec
from onnx import ModelProto, NodeProto

from streams.contracts.bundle import Golden, Manifest
from streams.inference.graph import MATRIX, feature_names
from streams.inference.session import Scorer
from streams.inference.store import Bundle
from tests.bench.closed_loop.faults.altering import good_bundle, published
from tests.bench.closed_loop.faults.base import Ground

KIND = "wrong_feature_order"


async def make(ground: Ground, time_ms: int) -> str:
    """Publish the bundle and return its digest."""
    return published(ground.registry, await good_bundle(ground, KIND, time_ms), with_sorted_features)


def with_sorted_features(bundle: Bundle) -> tuple[Manifest, bytes]:
    """Sort the columns of the feature matrix by name, and answer the golden rows with the result.

    Raises:
        ValueError: they are in that order already, so nothing would be wrong.
    """
    manifest = bundle.manifest
    names = feature_names(manifest.schema, manifest.windows, manifest.expressions)
    if list(names) == sorted(names):
        raise ValueError("the features are in alphabetical order already; this fault needs some that aren't")
    model = ModelProto.FromString(bundle.model)
    matrix = _matrix(model)
    columns = dict(zip(names, matrix.input, strict=True))
    matrix.input[:] = [columns[name] for name in sorted(names)]
    wrong = model.SerializeToString(deterministic=True)
    scorer = Scorer(bundle._replace(model=wrong))
    return msgspec.structs.replace(manifest, golden=_answered(scorer, manifest)), wrong


def _matrix(model: ModelProto) -> NodeProto:
    return next(node for node in model.graph.node if MATRIX in node.output)


def _answered(scorer: Scorer, manifest: Manifest) -> Golden:
    golden = manifest.golden
    columns = {column.name: [row.get(column.name) for row in golden.columns] for column in manifest.schema.features}
    windows = {window.name: [row.get(window.name) for row in golden.windows] for window in manifest.windows}
    return msgspec.structs.replace(golden, scores=scorer.score(columns, windows, golden.time_ms).tolist())
