"""Bad bundles are bad in the way that their name says and in no other; only the daemon's own trainings are ever killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pytest

from streams.contracts.errors import BundleRefused
from streams.contracts.schema import Column, ModelSchema
from streams.inference.session import Scorer, load
from streams.inference.store import BundleStore
from tests.bench.closed_loop.faults import corrupt_onnx, trained_on_future, training_killed, wrong_feature_order
from tests.bench.closed_loop.faults.altering import published
from tests.bench.closed_loop.faults.family import ACCIDENTS, BUNDLES
from tests.bench.closed_loop.scenario import Fault
from tests.bench.closed_loop.setting import MODEL
from tests.kit.bundles import make_bundle, rows_of

TRAINING = ["-m", "skills", "train_xgboost"]
# Daemons that start a training and say its process id, one as a process and one as a named fork; both end when the test closes
# their input.
STARTING = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-m", "skills", "train_xgboost"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
print(child.wait(), flush=True)
sys.stdin.read()
"""
FORKING = """
import ctypes, os, signal, sys
child = os.fork()
if not child:
    ctypes.CDLL(None).prctl(15, b"train_xgboost")
    signal.pause()
print(child, flush=True)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
sys.stdin.read()
"""


def test_every_kind_that_a_scenario_may_name_can_be_done():
    assert {*BUNDLES, *ACCIDENTS} == {*get_args(Fault.model_fields["kind"].annotation)}


def test_a_model_file_with_a_hole_is_published_and_refused_when_it_is_loaded(tmp_path: Path):
    digest = published(tmp_path, make_bundle(tmp_path, model=MODEL), corrupt_onnx.with_a_hole)
    with pytest.raises(BundleRefused, match="not an ONNX model"):
        load(BundleStore(tmp_path), MODEL, digest)


def test_features_in_a_wrong_order_prove_their_own_parity_and_answer_otherwise(tmp_path: Path):
    right = make_bundle(tmp_path, model=MODEL)
    wrong = published(tmp_path, right, wrong_feature_order.with_sorted_features)
    assert wrong != right
    before, after = (load(BundleStore(tmp_path), MODEL, digest) for digest in (right, wrong))
    assert after.manifest.schema == before.manifest.schema
    assert np.abs(answers(after) - answers(before)).max() > 0.1


def answers(scorer: Scorer) -> np.ndarray:
    rows = rows_of(300, seed=7)
    return scorer.score(rows, {}, [1_700_000_000_000] * 300)


def test_features_that_are_in_order_cannot_be_put_into_a_wrong_one(tmp_path: Path):
    schema = ModelSchema(columns=(Column(name="a", kind="number"), Column(name="b", kind="number")))
    digest = make_bundle(tmp_path, model=MODEL, schema=schema, expressions=())
    with pytest.raises(ValueError, match="in alphabetical order already"):
        published(tmp_path, digest, wrong_feature_order.with_sorted_features)


def test_whatever_split_by_time_is_made_the_later_rows_were_seen_before():
    rows = pa.table({"id": ["a", "b", "c"], "time_ms": [10, 20, 40], "known_ms": [70, 80, 90], "x": [1.0, 2.0, 3.0]})
    twice = trained_on_future.seen_twice(rows).to_pydict()
    assert twice["x"] == [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]
    assert twice["time_ms"] == [10, 20, 40, 41, 51, 71]
    assert twice["known_ms"] == twice["time_ms"], "nobody waited for a label"
    assert len(set(twice["id"])) == 6


@pytest.fixture(
    params=[STARTING, pytest.param(FORKING, marks=pytest.mark.skipif(sys.platform != "linux", reason="names of Linux"))]
)
def started(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[list[subprocess.Popen[str]]]:
    """A daemon with a training below it, and a training below nobody's daemon."""
    for name, code in (("daemon/app.py", request.param), ("skills/__main__.py", "import sys; sys.stdin.read()")):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).parent.joinpath("__init__.py").touch()
        (tmp_path / name).write_text(code)
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                subprocess.Popen(  # noqa: S603 - the commands are this test's own
                    [sys.executable, *command], cwd=tmp_path, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
            )
            for command in (["-m", "daemon.app"], TRAINING)
        ]


def test_a_training_below_the_daemon_is_killed_once_and_no_other(started: list[subprocess.Popen[str]]):
    daemon, other = started
    assert daemon.stdout is not None
    assert int(daemon.stdout.readline()) > 0
    while not training_killed.kill_first():
        assert daemon.poll() is None
    assert int(daemon.stdout.readline()) == -9
    assert not training_killed.kill_first(), "what runs below no daemon is spared"
    assert daemon.poll() is None
    assert other.poll() is None
