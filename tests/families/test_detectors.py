"""Every detector found in the folder satisfies the family's checks."""

from __future__ import annotations

import importlib.util

import pytest

from streams.contracts.schema import Task
from streams.detectors import checks
from streams.runtime.plugins import kinds_of, load_kind

pytestmark = pytest.mark.usefixtures("alibi_worker")
FAMILY = "streams.detectors"
TASKS: tuple[Task, ...] = ("binary", "regression")
# A kind whose library is an extra, and the library.
EXTRAS = {"alibi_cvm": "alibi_detect", "alibi_fisher": "alibi_detect", "alibi_tabular": "alibi_detect"}
KINDS = [
    pytest.param(
        kind,
        marks=pytest.mark.skipif(
            kind in EXTRAS and importlib.util.find_spec(EXTRAS[kind]) is None, reason="its extra isn't installed"
        ),
    )
    for kind in kinds_of(FAMILY)
]


def test_the_family_is_found_and_each_extra_is_one_of_it() -> None:
    found = set(kinds_of(FAMILY))
    assert {"inputs_quality", "feature_scores", "feature_shares", "score_scores", "loss_mean", "performance_auc"} <= found
    assert set(EXTRAS) <= found


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_silent_on_draws_from_the_reference(kind: str, task: Task) -> None:
    checks.check_silent(load_kind(FAMILY, kind), task, worlds=4 if kind in EXTRAS else 60)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_loud_when_everything_is_broken(kind: str, task: Task) -> None:
    checks.check_loud(load_kind(FAMILY, kind), task)


@pytest.mark.parametrize("check", [checks.check_repeatable, checks.check_nothing, checks.check_names, checks.check_order])
@pytest.mark.parametrize("kind", KINDS)
def test_it_satisfies(kind: str, check: checks.Check) -> None:
    check(load_kind(FAMILY, kind), "binary")
