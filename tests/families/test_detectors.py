"""Every detector found in the folder satisfies the family's checks."""

from __future__ import annotations

import importlib.util

import pytest

from streams.contracts.schema import Task
from streams.detectors.checks import check_loud, check_nothing, check_repeatable, check_silent
from streams.runtime.plugins import kinds_of, load_kind

FAMILY = "streams.detectors"
TASKS: tuple[Task, ...] = ("binary", "regression")
# A kind whose library is an extra, and the library.
EXTRAS = {"alibi_tabular": "alibi_detect"}
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
    found = kinds_of(FAMILY)
    assert {"inputs_quality", "feature_ks", "feature_chisquare", "score_ks", "loss_adwin", "performance_auc"} <= set(found)
    assert set(EXTRAS) <= set(found)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_silent_on_draws_from_the_reference(kind: str, task: Task) -> None:
    check_silent(load_kind(FAMILY, kind), task, worlds=1 if kind in EXTRAS else 10)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_loud_when_everything_is_broken(kind: str, task: Task) -> None:
    check_loud(load_kind(FAMILY, kind), task)


@pytest.mark.parametrize("kind", KINDS)
def test_it_finds_the_same_again(kind: str) -> None:
    check_repeatable(load_kind(FAMILY, kind))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_no_verdict(kind: str) -> None:
    check_nothing(load_kind(FAMILY, kind))
