"""Texts of strangers, made fit to be shown."""

import pytest

from streams.runtime.text import cleaned, masked, safe, unquoted


@pytest.mark.parametrize("text", ["JFK", "a-b_c.1", "x" * 40])
def test_what_is_plain_is_shown_as_it_is(text: str) -> None:
    assert safe(text) == text


@pytest.mark.parametrize("text", ["", "two words", "<b>", "x" * 41, "\x1b[2J", "\ud800", "ümlaut", "a\n"])
def test_what_is_not_plain_is_shown_by_a_digest(text: str) -> None:
    said = safe(text)
    assert len(said) == 9
    assert said[0] == "#"
    assert int(said[1:], 16) >= 0
    assert said == safe(text) != safe(f"{text} ")


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ("Invalid enum value 'rm -rf' - at `$.kind`", "Invalid enum value '...' - at `$.kind`"),
        ("Invalid enum value 'it's \"said\"' - at `$.kind`", "Invalid enum value '...' - at `$.kind`"),
        ("no column \"it's\nmine\"; there are 'a' and 'b'", "no column '...'"),
        ("JSON is malformed (byte 3)", "JSON is malformed (byte 3)"),
    ],
)
def test_what_an_error_repeats_in_quotes_is_left_out(told: str, left: str) -> None:
    assert unquoted(told) == left


def test_passwords_and_control_characters_are_taken_out() -> None:
    assert masked("postgresql://ann:secret@db") == "postgresql://ann:***@db"
    assert cleaned("a\x1b[2Jb\u202ec\ud800") == "a [2Jb c "
    assert len(cleaned("x" * 9_000)) == 2_000
