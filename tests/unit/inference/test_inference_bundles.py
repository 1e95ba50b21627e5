"""The store and loading: what is altered, hostile or wrong never serves, and says why."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from streams.contracts.bundle import MANIFEST_FILE, MODEL_FILE, Manifest, Profile, decode_manifest, encode_manifest
from streams.contracts.errors import BundleRefused
from streams.contracts.features import Window
from streams.contracts.schema import Column, ModelSchema
from streams.inference.checks import MAX_CONSTANT_ELEMENTS, MAX_NODES, check_model
from streams.inference.session import load
from streams.inference.store import BundleStore, read_folder, write_bundle
from tests.kit.bundles import SCHEMA, START_MS, make_bundle, rows_of

WINDOW = Window(aggregate="mean", source="outcomes", column="label", by=("owner",), range_ms=3_600_000)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    root = tmp_path_factory.mktemp("bundles") / "registry"
    return root, make_bundle(root, windows=[WINDOW])


@pytest.fixture
def copy(published: tuple[Path, str], tmp_path: Path) -> tuple[BundleStore, str, Path]:
    root, digest = published
    shutil.copytree(root, tmp_path / "registry")
    store = BundleStore(tmp_path / "registry")
    return store, digest, store.path("toys", digest)


def rewritten(store: BundleStore, folder: Path, **changes: object) -> str:
    """Make a bundle whose digests are all right, but whose model or manifest isn't what it says."""
    bundle = read_folder(folder)
    model = changes.pop("model_bytes", bundle.model)
    manifest = msgspec.structs.replace(bundle.manifest, **changes)
    reference = (folder / "reference.parquet").read_bytes()
    return store.publish(manifest.model, _written(folder.parent / "other", manifest, model, reference, bundle.profile))


def _written(folder: Path, manifest: Manifest, model: bytes, reference: bytes, profile: Profile) -> Path:
    write_bundle(folder, manifest, model, reference, profile)
    return folder


def test_a_whole_bundle_loads_and_answers(published: tuple[Path, str]) -> None:
    root, digest = published
    scorer = load(BundleStore(root), "toys", digest)
    columns = rows_of(30, seed=5)
    windows = {WINDOW.name: [None, 1.0, float("inf")] * 10}
    scores = scorer.score(columns, windows, [START_MS] * 30)
    assert scores.shape == (30,)
    assert ((scores > 0) & (scores < 1)).all()
    assert scorer.digest == digest
    assert scorer.manifest.windows == (WINDOW,)
    assert scorer.profile.rows == 400
    one_by_one = [
        scorer.score({n: [v[i]] for n, v in columns.items()}, {n: [v[i]] for n, v in windows.items()}, [START_MS])
        for i in range(30)
    ]
    np.testing.assert_array_equal(np.concatenate(one_by_one), scores)
    assert scorer.score({}, {}, []).shape == (0,)


def test_reference_and_manifest_are_readable(published: tuple[Path, str]) -> None:
    root, digest = published
    store = BundleStore(root)
    assert store.read_reference("toys", digest).column_names == ["weight", "distance"]
    assert store.read_manifest("toys", digest) == store.verify("toys", digest)


def test_the_lakes_versions_are_those_that_lineages_name(copy: tuple[BundleStore, str, Path]) -> None:
    store, _, folder = copy
    assert store.lake_versions("toys") == {}
    for versions in ({"predictions": 3, "outcomes": 2}, {"predictions": 7}, {"predictions": -1, "outcomes": True}, "all", [4]):
        rewritten(store, folder, lineage={"versions": versions})
    altered = store.path("toys", rewritten(store, folder, lineage={"versions": {"predictions": 9}}))
    (altered / MANIFEST_FILE).write_bytes((altered / MANIFEST_FILE).read_bytes() + b" ")
    (folder.parent / "notes.txt").write_text("no bundle")
    assert store.lake_versions("toys") == {"predictions": {3, 7}, "outcomes": {2}}
    with pytest.raises(BundleRefused, match="no bundles of others"):
        store.lake_versions("others")


def test_publishing_twice_is_publishing_once(copy: tuple[BundleStore, str, Path]) -> None:
    store, digest, folder = copy
    assert store.publish("toys", folder) == digest
    assert sorted(path.name for path in folder.parent.iterdir()) == [digest]
    with pytest.raises(BundleRefused, match="for model 'toys'"):
        store.publish("others", folder)


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json", "reference.parquet", "profile.json"])
def test_a_flipped_bit_anywhere_is_refused(copy: tuple[BundleStore, str, Path], name: str) -> None:
    store, digest, folder = copy
    whole = (folder / name).read_bytes()
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(whole) * 8, 40):
        flipped = bytearray(whole)
        flipped[at // 8] ^= 1 << (at % 8)
        (folder / name).write_bytes(flipped)
        with pytest.raises(BundleRefused):
            store.verify("toys", digest)
    (folder / name).write_bytes(whole)
    store.verify("toys", digest)


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json", "reference.parquet", "profile.json"])
def test_a_truncated_absent_or_linked_file_is_refused(copy: tuple[BundleStore, str, Path], name: str) -> None:
    store, digest, folder = copy
    whole = (folder / name).read_bytes()
    for size in range(0, len(whole), max(len(whole) // 9, 1)):
        (folder / name).write_bytes(whole[:size])
        with pytest.raises(BundleRefused):
            load(store, "toys", digest)
    (folder / name).unlink()
    with pytest.raises(BundleRefused, match="no such file"):
        load(store, "toys", digest)
    (folder / "elsewhere").write_bytes(whole)
    (folder / name).symlink_to(folder / "elsewhere")
    with pytest.raises(BundleRefused, match="no such file"):
        load(store, "toys", digest)


@pytest.mark.parametrize(
    ("model", "digest"), [("../toys", "0" * 64), ("toys", "../" + "0" * 61), ("toys", "A" * 64), ("", "0" * 64)]
)
def test_no_name_leaves_the_store(tmp_path: Path, model: str, digest: str) -> None:
    with pytest.raises(BundleRefused):
        BundleStore(tmp_path).path(model, digest)


def test_a_wrong_golden_answer_is_refused(copy: tuple[BundleStore, str, Path]) -> None:
    store, digest, folder = copy
    golden = store.read_manifest("toys", digest).golden
    off = msgspec.structs.replace(golden, scores=[golden.scores[0] + 1e-3, *golden.scores[1:]])
    with pytest.raises(BundleRefused, match=r"golden rows: scores are off by up to 0\.001"):
        load(store, "toys", rewritten(store, folder, golden=off))
    none = msgspec.structs.replace(golden, scores=[], columns=[], windows=[], time_ms=[])
    with pytest.raises(BundleRefused, match="0 golden rows"):
        load(store, "toys", rewritten(store, folder, golden=none))
    wrong = msgspec.structs.replace(golden, columns=[{**golden.columns[0], "weight": "heavy"}, *golden.columns[1:]])
    with pytest.raises(BundleRefused, match="golden rows: scoring them failed"):
        load(store, "toys", rewritten(store, folder, golden=wrong))
    short = msgspec.structs.replace(golden, time_ms=golden.time_ms[1:])
    with pytest.raises(BundleRefused, match="differ in length"):
        load(store, "toys", rewritten(store, folder, golden=short))


def test_a_manifest_of_another_shape_is_refused(copy: tuple[BundleStore, str, Path]) -> None:
    store, _, folder = copy
    other = ModelSchema(columns=(*SCHEMA.columns, Column(name="extra", kind="number")))
    with pytest.raises(BundleRefused, match="inputs are"):
        load(store, "toys", rewritten(store, folder, schema=other))
    data = (folder / MANIFEST_FILE).read_bytes()
    (folder / MANIFEST_FILE).write_bytes(encode_manifest(msgspec.structs.replace(decode_manifest(data), sha256={})))
    with pytest.raises(BundleRefused, match="must name exactly"):
        read_folder(folder)


def test_a_file_that_is_no_model_is_refused(copy: tuple[BundleStore, str, Path]) -> None:
    store, _, folder = copy
    for junk in (b"\xff\xff\xff", b"", b"not a model"):
        with pytest.raises(BundleRefused, match="model file"):
            load(store, "toys", rewritten(store, folder, model_bytes=junk))


def altered(folder: Path, change: Callable[[onnx.ModelProto], object]) -> tuple[bytes, Manifest]:
    model = onnx.load_model_from_string((folder / MODEL_FILE).read_bytes())
    change(model)
    return model.SerializeToString(), read_folder(folder).manifest


def _external(model: onnx.ModelProto) -> None:
    constant = model.graph.initializer[0]
    constant.data_location = TensorProto.EXTERNAL
    entry = constant.external_data.add()
    entry.key, entry.value = "location", "/etc/hostname"


def _loop(model: onnx.ModelProto) -> None:
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node("If", ["matrix"], ["o"], then_branch=body, else_branch=body))


def _hidden_graph(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.append(helper.make_attribute("body", helper.make_graph([], "body", [], [])))


def _huge(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(MAX_CONSTANT_ELEMENTS + 1, np.int8), "huge"))


def _second_output(model: onnx.ModelProto) -> None:
    model.graph.output.append(helper.make_tensor_value_info("matrix", TensorProto.FLOAT, ["rows", 2]))


def _dangling(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = "nowhere"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_external, "another file"),
        (_loop, "operator 'If'"),
        (_hidden_graph, "nested graph"),
        (_huge, "elements, at most"),
        (_second_output, "outputs are"),
        (_dangling, "ONNX checker says"),
        (lambda m: m.graph.node.append(helper.make_node("Run", ["matrix"], ["o"], domain="evil")), "operator 'Run' of 'evil'"),
        (lambda m: m.graph.node.append(helper.make_node("RandomNormal", [], ["o"], shape=[1])), "operator 'RandomNormal'"),
        (lambda m: m.graph.node.extend([helper.make_node("Abs", ["matrix"], ["o"])] * MAX_NODES), "nodes, at most"),
        (lambda m: m.opset_import.append(helper.make_opsetid("evil", 1)), "operator set 'evil'"),
        (lambda m: setattr(m.opset_import[0], "version", 99), "version 99 isn't allowed"),
        (lambda m: m.functions.append(helper.make_function("evil", "f", ["x"], ["y"], [], [])), "functions"),
        (lambda m: m.graph.input.pop(), "inputs are"),
    ],
)
def test_a_hostile_graph_is_refused_before_the_runtime_sees_it(
    published: tuple[Path, str], change: Callable[[onnx.ModelProto], object], why: str
) -> None:
    data, manifest = altered(BundleStore(published[0]).path("toys", published[1]), change)
    with pytest.raises(BundleRefused, match=why):
        check_model(data, manifest)


def test_flipped_bits_in_the_model_never_give_other_numbers(copy: tuple[BundleStore, str, Path]) -> None:
    """With the digest recomputed by an attacker, the golden rows are the last line; without, the digest is the first."""
    store, digest, folder = copy
    whole = (folder / MODEL_FILE).read_bytes()
    for at in np.random.default_rng(1).integers(0, len(whole) * 8, 100):
        flipped = bytearray(whole)
        flipped[at // 8] ^= 1 << (at % 8)
        (folder / MODEL_FILE).write_bytes(flipped)
        with pytest.raises(BundleRefused, match="SHA-256"):
            load(store, "toys", digest)
