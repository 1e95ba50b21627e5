"""`driftwake up` with a first champion that can't be trusted: exit 2, the finding named, nothing started."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from daemon.cli import main
from streams.inference.store import BundleStore
from tests.kit.bundles import SCHEMA, make_bundle

MODEL = "toys"


def config(folder: Path, bundle: str) -> Path:
    columns = [{"name": one.name, "kind": one.kind, "role": one.role} for one in SCHEMA.columns]
    model = {"name": MODEL, "schema": {"columns": columns}, "bundle": bundle}
    file = folder / "driftwake.yaml"
    file.write_text(yaml.safe_dump({"data_dir": str(folder / "data"), "models": [model]}))
    return file


def test_an_altered_bundle_stops_before_anything_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digest = make_bundle(tmp_path / "made", model=MODEL)
    folder = BundleStore(tmp_path / "made").path(MODEL, digest)
    model = folder / "model.onnx"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.chmod(0o644)
    model.write_bytes(bytes(data))
    assert main(["up", "--config", str(config(tmp_path, str(folder)))]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "models[0].bundle" in said
    assert "model.onnx" in said
    assert not (tmp_path / "data" / "broker").exists()


def test_an_unknown_digest_is_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", "--config", str(config(tmp_path, "0" * 64))]) == 2
    assert "models[0].bundle" in capsys.readouterr().err
