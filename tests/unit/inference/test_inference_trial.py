"""A bundle is tried where it can do no harm: refused with the reason, also when it ends the process or never answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.contracts.errors import BundleRefused
from streams.inference import trial
from streams.inference.session import load
from streams.inference.store import BundleStore
from streams.inference.trial import try_bundle
from tests.kit.bundles import make_bundle

_START = subprocess.Popen


def test_a_good_bundle_is_tried_and_then_loads_without_a_second_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = make_bundle(tmp_path)
    store = BundleStore(tmp_path)
    try_bundle(store, "toys", digest)
    monkeypatch.setattr("streams.inference.session.check_model", lambda *_: pytest.fail("checked once more"))
    assert load(store, "toys", digest, is_tried=True).digest == digest


def test_a_broken_or_missing_bundle_is_refused_with_the_reason_of_the_check(tmp_path: Path) -> None:
    digest = make_bundle(tmp_path)
    model = tmp_path / "toys" / digest / "model.onnx"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    for wanted, reason in ((digest, "model.onnx"), ("0" * 64, "manifest.json")):
        with pytest.raises(BundleRefused, match=reason):
            try_bundle(BundleStore(tmp_path), "toys", wanted)


def say_instead(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let the process run other code."""
    monkeypatch.setattr(trial.subprocess, "Popen", lambda command, **options: _START([command[0], "-c", code], **options))


def test_what_the_process_does_last_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No bundle that ends onnxruntime is at hand, so the process is given other last words."""
    ends = {
        "import os; os.kill(os.getpid(), 11)": "was ended by SIGSEGV",
        "raise SystemExit(3)": "failed with status 3",
        "raise ValueError(1)": "failed with status 1",
    }
    for code, told in ends.items():
        say_instead(monkeypatch, code)
        with pytest.raises(BundleRefused, match=told):
            try_bundle(BundleStore(tmp_path), "toys", "0" * 64)


def test_who_is_served_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    say_instead(
        monkeypatch,
        f"import os, sys\nwhile os.getpriority(0, 0) == {usual}: pass\nprint('at', os.getpriority(0, 0)); sys.exit(1)",
    )
    with pytest.raises(BundleRefused, match="at 10"):
        try_bundle(BundleStore(tmp_path), "toys", "0" * 64)


def test_one_that_never_answers_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say_instead(monkeypatch, "import signal; signal.pause()")
    monkeypatch.setattr(trial, "SECONDS", 0.2)
    with pytest.raises(BundleRefused, match="no answer within"):
        try_bundle(BundleStore(tmp_path), "toys", "0" * 64)


def test_the_process_can_write_no_file(tmp_path: Path) -> None:
    digest, made = make_bundle(tmp_path), tmp_path / "made"
    code = "import sys; from streams.inference import trial; trial.main(*sys.argv[1:4]); open(sys.argv[4], 'wb', 0).write(b'x')"
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-c", code, str(tmp_path), "toys", digest, str(made)], check=False, capture_output=True, text=True
    )
    assert "File too large" in done.stderr
    assert made.read_text() == ""
