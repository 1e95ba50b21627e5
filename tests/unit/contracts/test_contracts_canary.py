"""Routing to a canary: sticky, in proportion, to be worked out again by anybody; and the champion's view of its rows."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.canary import as_champion, fraction, takes
from streams.contracts.records import Canary, Prediction, ShadowScore


@given(st.binary(max_size=40), st.text(max_size=100), st.floats(0, 1), st.floats(0, 1))
def test_a_key_stays_with_the_canary_while_its_weight_grows(key: bytes, salt: str, one: float, other: float) -> None:
    small, large = (Canary(digest="d", weight=weight, salt=salt) for weight in sorted((one, other)))
    assert 0 <= fraction(salt, key) < 1
    assert takes(small, key, "r") <= takes(large, key, "another id")


def test_the_share_is_within_its_binomial_bounds_and_another_salt_takes_others() -> None:
    keys = [f"customer-{number}".encode() for number in range(20_000)]
    for weight in (0.01, 0.1, 0.5):
        by_salt = [
            {key for key in keys if takes(Canary(digest="d", weight=weight, salt=salt), key, "")} for salt in ("one", "two")
        ]
        bound = 5 * math.sqrt(len(keys) * weight * (1 - weight))
        for taken in by_salt:
            assert abs(len(taken) - len(keys) * weight) < bound
        assert abs(len(by_salt[0] & by_salt[1]) - len(keys) * weight**2) < bound, "the two draws are independent"


def test_the_hash_is_what_the_docs_say_so_that_a_share_can_be_worked_out_in_years() -> None:
    assert fraction("salt", b"key") == pytest.approx(0.5120042718759409, abs=1e-15)


def test_without_a_key_the_id_decides_and_an_empty_key_is_a_key() -> None:
    canary = Canary(digest="d", weight=0.5, salt="s")
    assert len({takes(canary, None, f"r{number}") for number in range(50)}) == 2
    assert len({takes(canary, b"", f"r{number}") for number in range(50)}) == 1


def prediction(route: str, shadows: list[ShadowScore]) -> Prediction:
    return Prediction(
        id="r", partition=0, offset=1, time_ms=2, columns={}, score=0.7, digest="new", generation=3, route=route, shadows=shadows
    )


def test_a_canarys_row_reads_as_if_the_champion_had_answered_it() -> None:
    other = ShadowScore("weekly", "w", 0.1)
    seen = as_champion(prediction("canary", [ShadowScore("champion", "old", 0.2), other]))
    assert (seen.route, seen.digest, seen.score) == ("champion", "old", 0.2)
    assert seen.shadows == [ShadowScore("canary", "new", 0.7), other]


@pytest.mark.parametrize(("route", "shadows"), [("champion", [ShadowScore("canary", "c", 0.1)]), ("canary", [])])
def test_other_rows_read_as_they_are(route: str, shadows: list[ShadowScore]) -> None:
    row = prediction(route, shadows)
    assert as_champion(row) is row
