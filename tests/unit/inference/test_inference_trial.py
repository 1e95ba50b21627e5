"""A bundle is tried where it can do no harm: refused with the reason, also when it ends the process or never answers."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.contracts.errors import BundleRefused
from streams.inference import trial
from streams.inference.session import load
from streams.inference.store import BundleStore
from streams.inference.trial import Trials
from tests.kit.bundles import make_bundle

ANY = "0" * 64


@pytest.fixture
def trials() -> Iterator[Trials]:
    tried = Trials()
    yield tried
    tried.close()


def load_instead(monkeypatch: pytest.MonkeyPatch, code: str, seconds: int = 60) -> None:
    """Let a trial do something else than load the bundle: no bundle that ends onnxruntime is at hand."""
    instead = f"import os, signal\nfrom streams.inference import trial\ntrial.SECONDS = {seconds}\n"
    instead += f"def bad(*_):\n {code}\ntrial.load = bad\ntrial.main()"
    monkeypatch.setattr(trial, "_COMMAND", (sys.executable, "-c", instead))


def refusal(trials: Trials, root: Path, digest: str = ANY) -> str:
    with pytest.raises(BundleRefused) as refused:
        trials.try_bundle(BundleStore(root), "toys", digest)
    return str(refused.value)


def test_a_good_bundle_is_tried_and_then_loads_without_a_second_check(
    tmp_path: Path, trials: Trials, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = make_bundle(tmp_path)
    store = BundleStore(tmp_path)
    trials.try_bundle(store, "toys", digest)
    monkeypatch.setattr("streams.inference.session.check_model", lambda *_: pytest.fail("checked once more"))
    assert load(store, "toys", digest, is_tried=True).digest == digest


def test_a_broken_or_missing_bundle_is_refused_with_the_reason_of_the_check(tmp_path: Path, trials: Trials) -> None:
    digest = make_bundle(tmp_path)
    model = tmp_path / "toys" / digest / "model.onnx"
    good = model.read_bytes()
    model.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert "model.onnx" in refusal(trials, tmp_path, digest)
    assert "manifest.json" in refusal(trials, tmp_path)
    model.write_bytes(good)
    trials.try_bundle(BundleStore(tmp_path), "toys", digest)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("os.kill(os.getpid(), 11)", "was ended by SIGSEGV"),
        ("os._exit(3)", "failed with status 3"),
        ("raise ValueError(1)", "failed with status 1"),
        # What it says is no answer.
        ("os.write(1, b'\"\"\\n'); os.write(2, b'\"\"\\n'); os._exit(3)", "failed with status 3"),
    ],
)
def test_what_a_trial_does_last_is_told(
    tmp_path: Path, trials: Trials, monkeypatch: pytest.MonkeyPatch, code: str, told: str
) -> None:
    load_instead(monkeypatch, code)
    for _ in range(2):  # the process that it was forked from lives on
        assert told in refusal(trials, tmp_path)


def test_who_is_served_comes_first(tmp_path: Path, trials: Trials, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    load_instead(monkeypatch, f"\n while os.getpriority(0, 0) == {usual}: pass\n os._exit(os.getpriority(0, 0))")
    assert "status 10" in refusal(trials, tmp_path)


def test_one_that_never_answers_is_refused(tmp_path: Path, trials: Trials, monkeypatch: pytest.MonkeyPatch) -> None:
    # Also one that lets go of all that it could answer on.
    for code in ("signal.pause()", "os.closerange(3, 64); signal.pause()"):
        load_instead(monkeypatch, code, seconds=1)
        assert "no answer within 1 s" in refusal(trials, tmp_path)
        trials.close()


def test_a_trial_ends_with_who_asked(tmp_path: Path, trials: Trials, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    load_instead(
        monkeypatch, f"\n with open({str(begun)!r}, 'wb', 0) as out: out.write(str(os.getpid()).encode())\n signal.pause()"
    )
    told: list[str] = []
    asking = threading.Thread(target=lambda: told.append(refusal(trials, tmp_path)))
    asking.start()
    pid = int(begun.read_text())
    monkeypatch.setattr(trial, "_COMMAND", (sys.executable, "-c", ""))
    trials.close()
    asking.join()
    assert "ended" in told[0]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_process_is_started_again_when_it_has_ended(tmp_path: Path, trials: Trials) -> None:
    digest = make_bundle(tmp_path)
    trials.try_bundle(BundleStore(tmp_path), "toys", digest)
    first = trials._process
    assert first is not None
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    trials.try_bundle(BundleStore(tmp_path), "toys", digest)
    assert trials._process is not None
    assert trials._process.pid != first.pid


def test_one_that_always_ends_refuses_what_it_was_asked(tmp_path: Path, trials: Trials, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_COMMAND", (sys.executable, "-c", ""))
    assert "ended without an answer" in refusal(trials, tmp_path)


def test_it_ends_when_nobody_asks(tmp_path: Path, trials: Trials, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        trial, "_COMMAND", (sys.executable, "-c", "from streams.inference import trial; trial.IDLE_SECONDS = 0; trial.main()")
    )
    assert trials._ask(b"") is None


def test_a_trial_can_write_no_file(tmp_path: Path, trials: Trials, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tmp_path / "made"
    load_instead(monkeypatch, f"open({str(made)!r}, 'wb', 0).write(b'x')")
    assert "failed with status 1" in refusal(trials, tmp_path)
    assert made.read_text() == ""
