"""Numbers as people say them: in digits or words, with `k` or `thousand`, `half`, `9 out of 10`."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from daemon.goals.reading import Found, Lexicon, Reading, listed, meaning
from daemon.goals.tokens import Token
from daemon.goals.words import NUMBERS, PLAIN_NOUNS, TENS

_TIMES: Final[dict[str, int]] = {"k": 1_000, "thousand": 1_000, "hundred": 100, "million": 1_000_000}
_FRACTIONS: Final = Lexicon[float]({
    "half a": 0.5, "half an": 0.5, "a half": 0.5, "a quarter of a": 0.25, "a quarter of an": 0.25, "one quarter of a": 0.25,
    "three quarters of a": 0.75, "three quarters of an": 0.75, "half of a": 0.5, "half of one": 0.5,
})  # fmt: skip
_SHARES: Final = Lexicon[float]({
    **meaning(50.0, "[a|one] half"), **meaning(25.0, "(a|one) (quarter|fourth)"), **meaning(75.0, "three (quarters|fourths)"),
    **meaning(20.0, "(a|one) fifth"), **meaning(40.0, "two fifths"), **meaning(60.0, "three fifths"),
    **meaning(80.0, "four fifths"), **meaning(10.0, "(a|one) tenth"), **meaning(30.0, "three tenths"),
    **meaning(70.0, "seven tenths"), **meaning(90.0, "nine tenths"),
})  # fmt: skip
"""Parts of a whole in per cent, as far as per cent say them exactly: no thirds."""

AND_A_HALF: Final = listed("and a half")
_FIRST_WORDS: Final = frozenset({*NUMBERS, *TENS, "a", "point"})
_WHOLE_OF: Final = PLAIN_NOUNS | {"all", "the", "our", "its", "those", "these"}
_WHOLES: Final = frozenset({4, 5, 10, 20, 50, 100, 1_000})


def number_at(reading: Reading, at: int) -> Found[Token] | None:
    """Return the number at a place, None where it can't be read."""
    if not 0 <= at < len(reading.tokens) or reading.tokens[at].fault:
        return None
    token = reading.tokens[at]
    if token.kind != "number":
        worded = _worded(reading, at) if token.text in _FIRST_WORDS else None
        return None if worded is None else Found(worded.end, token._replace(kind="number", value=worded.value))
    times = reading.token(at + 1)
    if times is not None and times.kind == "word" and times.text in _TIMES:
        return Found(at + 2, token._replace(value=token.value * _TIMES[times.text]))
    return Found(at + 1, token)


def count_at(reading: Reading, at: int) -> Found[float] | None:
    """Return how many of a unit: a number, `half an`, `one and a half`; None where none is said."""
    if fraction := _FRACTIONS.at(reading, at):
        return fraction
    number = number_at(reading, at)
    if number is None:
        return None
    more = AND_A_HALF.at(reading, number.end)
    return Found(more.end, number.value.value + 0.5) if more else Found(number.end, number.value.value)


def share_at(reading: Reading, at: int) -> Found[float] | None:
    """Return `three quarters`, `a fifth` in per cent; by itself `a quarter` is a time too."""
    return _SHARES.at(reading, at)


def per_cent_at(reading: Reading, at: int) -> Found[float] | None:
    """Return `9 out of 10`, `85 times out of 100` or `three quarters of` what follows in per cent."""
    share = share_at(reading, at)
    if share is not None and reading.is_one_of(share.end, {"of"}) and reading.is_one_of(share.end + 1, _WHOLE_OF):
        return share
    part = number_at(reading, at)
    place = None if part is None else reading.skip(part.end, {"times", "cases"})
    if part is None or place is None or not reading.is_one_of(place, {"in", "out"}):
        return None
    place = place + 2 if reading.is_one_of(place, {"out"}) and reading.is_one_of(place + 1, {"of"}) else place + 1
    whole = number_at(reading, reading.skip(place, {"every"}))
    if whole is None or whole.value.value not in _WHOLES or not 0 < part.value.value < whole.value.value:
        return None
    per_cent = Decimal(repr(part.value.value)) * 100 / Decimal(repr(whole.value.value))
    return Found(whole.end, float(per_cent))


def _worded(reading: Reading, at: int) -> Found[float] | None:
    """Read `ninety-five`, `two hundred and fifty`, `a thousand`, `ninety-nine point five`."""
    if reading.is_one_of(at, {"point"}):
        tenths = _with_decimals(reading, Found(at, 0.0))
        return tenths if tenths.end > at else None
    total, group = 0, -1
    place = end = at
    while (token := reading.token(place)) is not None and token.kind == "word":
        word = token.text
        if word in NUMBERS or word in TENS:
            value = (NUMBERS | TENS)[word]
            if group >= 0 and not _goes_on(group, value):
                break
            group = max(group, 0) + value
        elif word in {"hundred", "thousand"} and (group > 0 or reading.is_one_of(at, {"a"})):
            group = max(group, 1) * _TIMES[word]
            total, group = (total + group, 0) if word == "thousand" else (total, group)
        elif not (word == "a" and place == at and reading.is_one_of(at + 1, _TIMES)) and not (
            word == "and" and reading.is_one_of(place - 1, {"hundred", "thousand"})
        ):
            break
        place += 1
        end = end if word in {"a", "and"} else place
    if end == at:
        return None
    return _with_decimals(reading, Found(end, float(total + max(group, 0))))


def _goes_on(group: int, value: int) -> bool:
    """Whether a number goes on with a word: `ninety` with `five`, `two hundred` with `fifty`, and not `nine` with `five`."""
    return (group % 100 == 0 and value < 100) or (group % 100 in TENS.values() and 0 < value < 10)


def _with_decimals(reading: Reading, whole: Found[float]) -> Found[float]:
    if not reading.is_one_of(whole.end, {"point"}):
        return whole
    digits, place = "", whole.end + 1
    while (token := reading.token(place)) is not None and NUMBERS.get(token.text, 10) < 10:
        digits += str(NUMBERS[token.text])
        place += 1
    return Found(place, float(f"{int(whole.value)}.{digits}")) if digits else whole
