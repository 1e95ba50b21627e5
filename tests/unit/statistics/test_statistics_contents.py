"""Which rows say the same is counted exactly as far as the sketch reaches, in any order and any number of parts."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.statistics import contents
from streams.statistics.contents import MOST, Contents, content_hashes, distinct, merged

TEXTS = ["a", "b", None, ""]
# Of the number 0.5 and the text "red".
HASH = 8_986_022_838_406_220


def sketch_of(hashes: np.ndarray) -> list[tuple[int, int]]:
    found = Contents()
    found.add(hashes)
    return found.counted


def test_rows_are_alike_when_all_their_values_are() -> None:
    numbers = np.array([1.0, 1.0, 2.0, np.nan, -np.nan, 0.0, -0.0, 1.0])
    texts = ["a", "a", "a", None, None, "", "", "b"]
    hashes = content_hashes([numbers, texts])
    assert [hashes.tolist().index(one) for one in hashes.tolist()] == [0, 0, 2, 3, 3, 5, 5, 7]
    assert ((hashes >= 0) & (hashes < 1 << 53)).all()
    turned = content_hashes([np.array([1.0, 2.0]), np.array([2.0, 1.0])])
    assert turned[0] != turned[1], "columns have keys of their own"
    assert len(set(content_hashes([TEXTS]).tolist())) == len(TEXTS), "nothing is no empty text"


def test_hashes_are_the_same_in_every_process() -> None:
    """Summaries of workers are merged: a hash that is salted like Python's own would tell all their rows apart."""
    assert content_hashes([np.array([0.5]), ["red"]]).tolist() == [HASH]


def test_small_numbers_and_near_ones_do_not_collide() -> None:
    grid = np.array([(a, b) for a in range(300) for b in range(300)], np.float64)
    assert len(np.unique(content_hashes([grid[:, 0], grid[:, 1]]))) == len(grid)
    assert len(np.unique(content_hashes([np.nextafter(1.0, 2.0) * np.arange(50_000)]))) == 50_000


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2_000), max_size=1_500), st.integers(0, 2**32))
def test_any_order_and_any_parts_give_the_same_sketch(values: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    hashes = content_hashes([np.array(values, np.float64)])
    whole = sketch_of(hashes)
    assert whole == sorted(Counter(hashes.tolist()).items())[:MOST]
    drawn = rng.permutation(hashes)
    parts = np.array_split(drawn, int(rng.integers(1, 5)))
    again = []
    for part in parts:
        found = Contents()
        for batch in np.array_split(part, int(rng.integers(1, 5))):
            found.add(batch)
        again.append(found.counted)
    assert merged(again) == whole
    assert merged([merged(again[:1]), *again[1:]]) == whole


def test_contents_that_are_kept_are_counted_to_the_last_row() -> None:
    hashes = content_hashes([np.arange(5_000.0)])
    found = Contents()
    for _ in range(3):
        found.add(hashes)
    assert found.counted == [(one, 3) for one in sorted(hashes.tolist())[:MOST]]


def test_texts_that_never_come_again_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"user-{number}" for number in range(1_000)]
    expected = content_hashes([texts])
    monkeypatch.setattr(contents, "_MOST_TEXTS", 100)
    monkeypatch.setattr(contents, "_TEXTS", contents._Texts())
    assert np.array_equal(content_hashes([texts]), expected)
    assert len(contents._TEXTS) <= 100
    known = len(contents._TEXTS)
    long = ["x" * 1_000, "y" * 1_000, "x" * 1_000]
    first, second, third = content_hashes([long]).tolist()
    assert first == third != second
    assert len(contents._TEXTS) == known, "a long one isn't kept"


def test_few_contents_are_counted_exactly_and_many_are_estimated() -> None:
    assert distinct([]) == 0
    assert distinct(sketch_of(content_hashes([np.arange(MOST - 1.0).repeat(7)]))) == MOST - 1
    for number in (MOST, 1_000, 50_000):
        errors = []
        for seed in range(200):
            values = np.random.default_rng([seed, number]).normal(size=number)
            errors.append(distinct(sketch_of(content_hashes([values]))) / number - 1)
        # Less where nearly all contents are kept; a mean of 200 varies by a fourteenth of it.
        deviation = math.sqrt((1 - MOST / number) / (MOST - 2))
        assert np.mean(errors) == pytest.approx(0, abs=4 * (deviation + 1 / MOST) / math.sqrt(200))
        assert np.std(errors) <= 1.2 * deviation + 2 / MOST
