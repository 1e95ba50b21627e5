"""Delivery, attribution, latency and speed."""

import numpy as np
import pytest

from tests.bench.closed_loop.metrics.integrity import (
    Answer,
    Deployed,
    Speed,
    SwapIntegrity,
    latency_ratio,
    p99,
    replay_speed,
    swap_integrity,
)

PLAN = [Deployed(0, 1), Deployed(100, 2)]


def answer(name: str, time_ms: int = 50, generation: int = 1, features_of: int | None = None) -> Answer:
    return Answer(name, time_ms, generation, generation if features_of is None else features_of)


def test_a_clean_swap():
    answers = [answer("a"), answer("b", 99), answer("c", 100, 2)]
    assert swap_integrity("abcd", answers, "d", PLAN) == SwapIntegrity(0, 0, 0)


@pytest.mark.parametrize(
    ("asked", "answered", "refused", "lost", "doubled"),
    [
        ("ab", "a", "", 1, 0),
        ("a", "aaa", "", 0, 2),
        ("a", "a", "a", 0, 1),
        ("a", "ab", "", 0, 1),
        ("a", "a", "b", 0, 1),
        ("aa", "aa", "", 0, 0),
        ("aa", "a", "", 1, 0),
        ("", "", "", 0, 0),
        ("ab", "aa", "", 1, 1),
    ],
)
def test_lost_and_doubled(asked: str, answered: str, refused: str, lost: int, doubled: int):
    assert swap_integrity(asked, [answer(name) for name in answered], refused, PLAN) == (lost, doubled, 0)


@pytest.mark.parametrize(
    ("found", "is_wrong"),
    [
        (answer("a", 100, 1), True),
        (answer("a", 99, 2), True),
        (answer("a", -1, 1), True),
        (answer("a", 99, 1, features_of=2), True),
        (answer("a", 5_000, 2), False),
        (answer("a", 0, 1), False),
    ],
)
def test_misattributed(found: Answer, is_wrong: bool):  # noqa: FBT001 - a parameter of the test
    assert swap_integrity("a", [found], "", PLAN).misattributed == is_wrong
    assert swap_integrity("a", [found], "", PLAN[::-1]).misattributed == is_wrong


def test_without_a_deployment_every_answer_is_misattributed():
    assert swap_integrity("a", [answer("a")], "", []) == (0, 0, 1)


def test_of_two_deployments_at_one_time_the_later_listed_serves():
    assert swap_integrity("a", [answer("a", 100, 3)], "", [*PLAN, Deployed(100, 3)]).misattributed == 0


def test_latency():
    before, during = np.arange(1.0, 102.0), np.arange(1.0, 102.0) * 1.5
    # The 99th percentile of 1..101 is 100.
    assert latency_ratio(before, during) == pytest.approx(1.5)
    assert latency_ratio(before, np.array([50.0, np.nan])) == pytest.approx(0.5)
    assert latency_ratio(np.array([0.5]), np.array([0.25])) == pytest.approx(0.5)
    assert latency_ratio(np.array([]), during) is None
    assert latency_ratio(before, np.array([np.nan])) is None
    assert latency_ratio(np.zeros(3), during) is None


def test_speed():
    assert replay_speed(1_000, 3_600_000, 2.0) == Speed(500.0, 1_800.0)
    assert replay_speed(10, 1_000, 0.5) == Speed(20.0, 2.0)
    assert replay_speed(1_000, 3_600_000, 0.0) is None


def test_the_99th_percentile_leaves_out_what_is_not_finite():
    assert p99(np.array([*range(101), float("nan"), float("inf")], float)) == 99
    assert p99(np.array([float("nan")])) is None
