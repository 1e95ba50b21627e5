"""What is read out of the workers' reports."""

from daemon.deploying.world import refusal_of
from streams.contracts.records import WorkerReport


def serving(generation: int, **refused: str) -> WorkerReport:
    return WorkerReport(stage="serving", model="toys", partition=0, epoch="e", generation=generation, refused=refused)


def test_a_refusal_counts_for_the_generation_that_asked():
    assert refusal_of((serving(3, aa="too many"),), "aa", 3) == "too many"
    assert refusal_of((serving(3, aa="too many"),), "bb", 3) is None


def test_an_earlier_refusal_is_no_answer_to_a_new_request():
    assert refusal_of((serving(3, aa="too many"),), "aa", 5) is None
