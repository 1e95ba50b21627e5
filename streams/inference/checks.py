"""What a model file must be before the runtime may see it. A bundle comes from elsewhere: its graph is hostile until checked.

A file may be small enough, use only operators on the list (no custom domain, no loops, no nested graphs), and hold all its
data itself: a path to another file would make the runtime read what the digest doesn't vouch for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

from streams.contracts.bundle import Manifest
from streams.contracts.errors import BundleRefused, ContractError
from streams.inference.graph import ML_OPSET, OPSET, SCORE, input_names
from streams.inference.operators import ML_DOMAIN

# Far above any forest that scores a row in a millisecond, far below what exhausts a worker.
MAX_BYTES = 256 * 1024 * 1024
MAX_NODES = 5_000
MAX_CONSTANT_ELEMENTS = 1_000_000

_MATHS = ("Abs", "Add", "Clip", "Div", "Exp", "Log", "Max", "Min", "Mod", "Mul", "Neg", "Sigmoid", "Sqrt", "Sub", "Sum")
_LOGIC = ("And", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Not", "Or", "Where")
_SHAPES = ("Cast", "Concat", "Expand", "Gather", "Identity", "Reshape", "Shape", "Squeeze", "Unsqueeze")
_TREES = ("LabelEncoder", "TreeEnsembleClassifier", "TreeEnsembleRegressor")
ALLOWED = frozenset({*(("", name) for name in (*_MATHS, *_LOGIC, *_SHAPES)), *((ML_DOMAIN, name) for name in _TREES)})

_NAMES = {TensorProto.FLOAT: "float32", TensorProto.STRING: "string", TensorProto.INT64: "int64"}


def check_model(data: bytes, manifest: Manifest) -> None:
    """Check the bytes of a model file against the rules and against its manifest.

    Raises:
        BundleRefused: it breaks a rule; the text says which.
    """
    if len(data) > MAX_BYTES:
        raise BundleRefused(f"model file: {len(data)} bytes, at most {MAX_BYTES} are allowed")
    try:
        model = ModelProto.FromString(data)
    except DecodeError as error:
        raise BundleRefused("model file: not an ONNX model") from error
    _check_rules(model)
    _check_signature(model.graph, manifest)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        raise BundleRefused(f"model file: the ONNX checker says: {str(error)[:300]}") from error


def _check_rules(model: ModelProto) -> None:
    graph = model.graph
    for opset in model.opset_import:
        newest = {"": OPSET, "ai.onnx": OPSET, ML_DOMAIN: ML_OPSET}.get(opset.domain)
        if newest is None or opset.version > newest:
            raise BundleRefused(f"model file: operator set {opset.domain or 'ai.onnx'!r} version {opset.version} isn't allowed")
    if model.functions or model.training_info or graph.sparse_initializer:
        raise BundleRefused("model file: functions, training parts and sparse constants aren't allowed")
    if len(graph.node) > MAX_NODES:
        raise BundleRefused(f"model file: {len(graph.node)} nodes, at most {MAX_NODES} are allowed")
    for node in graph.node:
        _check_node(node)
    for constant in (*graph.initializer, *_tensors(graph.node)):
        _check_constant(constant)


def _check_node(node: NodeProto) -> None:
    domain = "" if node.domain == "ai.onnx" else node.domain
    if (domain, node.op_type) not in ALLOWED:
        raise BundleRefused(f"model file: operator {node.op_type!r} of {node.domain or 'ai.onnx'!r} isn't allowed")
    for attribute in node.attribute:
        if attribute.type in {AttributeProto.GRAPH, AttributeProto.GRAPHS} or attribute.HasField("g") or attribute.graphs:
            raise BundleRefused(f"model file: operator {node.op_type!r} holds a nested graph")


def _tensors(nodes: Sequence[NodeProto]) -> Iterator[TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _check_constant(constant: TensorProto) -> None:
    if constant.external_data or constant.data_location == TensorProto.EXTERNAL:
        raise BundleRefused("model file: a constant lies in another file")
    elements = 1
    for size in constant.dims:
        elements *= max(size, 0)
    if elements > MAX_CONSTANT_ELEMENTS:
        raise BundleRefused(f"model file: a constant has {elements} elements, at most {MAX_CONSTANT_ELEMENTS} are allowed")


def _check_signature(graph: GraphProto, manifest: Manifest) -> None:
    """Inputs and the output must be exactly what the manifest's schema and specs say."""
    try:
        present = input_names(manifest.schema, manifest.windows, manifest.expressions)
    except ContractError as error:
        raise BundleRefused(f"manifest: {error}") from error
    schema = manifest.schema
    widths = {"numbers": len(schema.numbers), "categories": len(schema.categories), "windows": len(manifest.windows)}
    kinds = {"categories": "string", "time": "int64"}
    expected = {name: (kinds.get(name, "float32"), widths.get(name)) for name in present}
    found = {value.name: _kind_and_width(value) for value in graph.input}
    if found != expected:
        raise BundleRefused(f"model file: inputs are {found}, the manifest says {expected}")
    outputs = {value.name: _kind_and_width(value) for value in graph.output}
    if outputs != {SCORE: ("float32", None)}:
        raise BundleRefused(f"model file: outputs are {outputs}, expected one float32 {SCORE!r} per row")


def _kind_and_width(value: ValueInfoProto) -> tuple[str, int | None]:
    """Element type, and the second dimension (None for a vector, -1 where the shape is neither a vector nor a matrix)."""
    tensor = value.type.tensor_type
    sizes = [dimension.dim_value for dimension in tensor.shape.dim]
    width = None if len(sizes) == 1 else sizes[1] if len(sizes) == 2 else -1
    return _NAMES.get(tensor.elem_type, "another type"), width
