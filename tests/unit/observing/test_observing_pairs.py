"""What waits for its other half: each pair once, whatever comes when, and the same again when the memory is folded again."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.observing.pairs import Pair, Pairs, Side

HALVES = st.lists(
    st.tuples(st.sampled_from(["request", "answer"]), st.sampled_from("abc"), st.integers(0, 60)), min_size=1, max_size=40
)
PATIENCE = 100


def half(side: Side, name: str, number: int) -> bytes:
    return f"{side} {name} {number}".encode()


def test_either_half_may_come_first() -> None:
    pairs = Pairs(PATIENCE, 10)
    assert pairs.add("request", "a", b"ra", 0, 0) is None
    assert pairs.add("answer", "b", b"ab", 1, 5) is None
    assert pairs.add("request", "b", b"rb", 2, 6) == Pair(b"rb", b"ab")
    assert pairs.add("answer", "a", b"aa", 3, PATIENCE) == Pair(b"ra", b"aa")
    assert pairs.counts == {"paired": 2}


def test_what_comes_again_is_a_repeat_as_long_as_the_id_is_remembered() -> None:
    pairs = Pairs(PATIENCE, 10)
    pairs.add("request", "a", b"1", 0, 0)
    pairs.add("answer", "a", b"2", 1, 10)
    assert pairs.add("answer", "a", b"3", 2, 20) is None
    assert pairs.add("request", "a", b"4", 3, 30) is None
    assert pairs.add("request", "a", b"5", 4, 30 + PATIENCE + 1) is None
    assert pairs.add("answer", "a", b"6", 5, 30 + PATIENCE + 2) == Pair(b"5", b"6")
    assert pairs.counts == {"paired": 2, "repeated": 2}


def test_who_waits_too_long_is_counted_and_forgotten() -> None:
    pairs = Pairs(PATIENCE, 10)
    pairs.add("request", "a", b"1", 0, 0)
    pairs.add("answer", "b", b"2", 1, 0)
    assert pairs.add("answer", "a", b"3", 2, PATIENCE + 1) is None
    assert pairs.counts == {"unanswered": 1, "unasked": 1}
    assert (len(pairs), pairs.first()) == (1, 2)


def test_the_oldest_are_shed_above_the_most() -> None:
    pairs = Pairs(PATIENCE, 2)
    for number, name in enumerate("abc"):
        pairs.add("request", name, b"", number, 0)
    assert (len(pairs), pairs.first(), pairs.counts) == (2, 1, {"shed": 1})


@given(HALVES)
@settings(max_examples=300, deadline=None)
def test_each_half_is_in_one_pair_at_most_and_soon_after_its_id_was_heard_of(halves: list[tuple[Side, str, int]]) -> None:
    pairs, now, found, heard = Pairs(PATIENCE, 1_000), 0, [], {}
    for number, (side, name, pause) in enumerate(halves):
        now += pause
        pair = pairs.add(side, name, half(side, name, number), number, now)
        if pair is not None:
            found.append(pair)
            assert now - heard[name] <= PATIENCE
        heard[name] = now
    used = [one for pair in found for one in pair]
    assert len(used) == len(set(used))
    for pair in found:
        assert (pair.request.split()[0], pair.answer.split()[0]) == (b"request", b"answer")
        assert pair.request.split()[1] == pair.answer.split()[1]
    assert pairs.counts["paired"] == len(found)


@given(HALVES, st.integers(0, 39))
@settings(max_examples=300, deadline=None)
def test_a_memory_that_is_folded_again_goes_on_the_same(halves: list[tuple[Side, str, int]], cut: int) -> None:
    cut = min(cut, len(halves))
    whole, now, moments = Pairs(PATIENCE, 1_000), 0, []
    for side, name, pause in halves:
        now += pause
        moments.append((side, name, now))
    for number, (side, name, at) in enumerate(moments[:cut]):
        whole.add(side, name, half(side, name, number), number, at)
    first = whole.first()
    again = Pairs(PATIENCE, 1_000, counts=whole.counts, rebuilding=True)
    for number in range(first if first is not None else cut, cut):
        side, name, at = moments[number]
        again.add(side, name, half(side, name, number), number, at)
    again.settle()
    assert again.counts == whole.counts
    for number, (side, name, at) in enumerate(moments[cut:], cut):
        value = half(side, name, number)
        assert again.add(side, name, value, number, at) == whole.add(side, name, value, number, at)
    assert again.counts["paired"] == whole.counts["paired"]
