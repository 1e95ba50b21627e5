"""What was said and done, against what a scenario accepts."""

import pytest
from sklearn.metrics import confusion_matrix

from tests.bench.closed_loop.metrics.judgement import NOTHING, Acted, Confusion, Diagnosed, acted, diagnosis_confusion, right_rows


def run(accepted: str, said: str, *, second: str = "") -> Diagnosed:
    return Diagnosed("C2", tuple(accepted.split()), tuple(said.split()), tuple(second.split()))


@pytest.mark.parametrize(
    ("accepted", "said", "is_right"),
    [
        ("a", "a", True),
        ("a", "a b", True),
        ("a", "b a", False),
        ("a b", "b", True),
        ("a", "", False),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_the_main_cause_must_be_accepted(accepted: str, said: str, is_right: bool):  # noqa: FBT001 - a parameter of the test
    assert run(accepted, said).is_right == is_right


@pytest.mark.parametrize(
    ("said", "is_right"),
    [("a x", True), ("x b", True), ("c x a", True), ("a b", False), ("a", False), ("x y", False), ("a c", False), ("", False)],
)
def test_of_two_things_at_once_one_cause_each_must_be_named(said: str, is_right: bool):  # noqa: FBT001 - a parameter of the test
    assert run("a b", said, second="x y").is_right == is_right


def test_confusion_by_hand():
    found = diagnosis_confusion([run("a", "a"), run("a", "b"), run("a", ""), run("", "b"), run("", ""), run("a b", "b")])
    assert found == Confusion(("a", "b", NOTHING), ((1, 1, 1), (0, 1, 0), (0, 1, 1)))


def test_confusion_is_that_of_scikit_learn_where_one_cause_is_right():
    true, said = list("aabbccab"), list("abbcccac")
    found = diagnosis_confusion(run(one, other) for one, other in zip(true, said, strict=True))
    assert found.names == ("a", "b", "c")
    assert [list(row) for row in found.counts] == confusion_matrix(true, said).tolist()


def test_two_at_once_are_two_counts():
    assert diagnosis_confusion([run("a b", "x b", second="x")]) == Confusion(("b", "x"), ((1, 0), (0, 1)))
    assert diagnosis_confusion([run("a b", "x c", second="x")]) == Confusion(("a", "c", "x"), ((0, 1, 0), (0, 0, 0), (0, 0, 1)))
    assert diagnosis_confusion([run("a", "a", second="x")]) == Confusion(("a", NOTHING, "x"), ((1, 0, 0), (0, 0, 0), (0, 1, 0)))


def test_no_runs_no_matrix():
    assert diagnosis_confusion([]) == Confusion((), ())
    assert right_rows([]) == 0


def test_a_row_is_the_share_of_its_seeds_and_variants():
    runs = [
        ("C11a", True),
        ("C11b", False),
        ("C1", True),
        ("C12", True),
        ("C2_sine", False),
        ("C2_stagger", True),
        ("mine", True),
    ]
    assert right_rows(runs) == pytest.approx(0.5 + 1 + 1 + 0.5 + 1)


def test_actions():
    assert acted(["retrain"], {"retrain"}, set()) == Acted(right=True, forbidden=0)
    assert acted(["no_action", "retrain"], {"retrain", "rollback"}, set()).score == 1
    assert acted([], {"retrain"}, set()) == Acted(right=False, forbidden=0)
    assert acted(["alert_upstream", "retrain", "retrain"], {"alert_upstream"}, {"retrain"}).score == -1


def test_where_no_action_is_accepted_it_is_right_to_do_nothing():
    assert acted([], (), {"retrain"}) == Acted(right=True, forbidden=0)
    assert acted(["no_action", "wait_for_labels"], (), ()).right
    assert acted(["no_action", "retrain"], (), {"retrain"}) == Acted(right=False, forbidden=1)
