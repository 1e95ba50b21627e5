"""A sentence as tokens: words, numbers, quoted values, days and signs. What can't be read with certainty says so.

The sentence is hostile: it is bounded before anything looks at it, and characters that can't be seen are refused, since a person
who reads the sentence back wouldn't know of them.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from typing import Final, Literal, NamedTuple

from daemon.goals.checks import UNSEEN, Finding

MOST_CHARACTERS = 500
_BLANK = "\t\n\r"
_ALIKE: Final[dict[int, int | str]] = {
    **{ord(one): " " for one in "\t\n\r\u00a0\u2007\u2009\u202f\u3000"},
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},  # full width
    **{ord(one): "'" for one in "\u2018\u2019\u02bc"},
    **{ord(one): '"' for one in "\u201c\u201d\u201e\u00ab\u00bb"},
    **{ord(one): "-" for one in "\u2010\u2011\u2012\u2013\u2212"},
    ord("—"): " ; ",
    ord("…"): ".",
}
_SHORT: Final = {
    re.compile(r"\bw/o\b", re.IGNORECASE): "without",
    re.compile(r"\b(hereby|herewith)\s", re.IGNORECASE): "",
    re.compile(r"\bw/(?=[\s\w])", re.IGNORECASE): "with ",
    re.compile(r"\b(vs|approx|min|max|avg)\.(?=\s)", re.IGNORECASE): r"\1",
    re.compile(r"\b(who|that|which|they|it)'ll\b", re.IGNORECASE): r"\1 will",
    re.compile(r"\bwho's(?= \w+ to\b)", re.IGNORECASE): "who is",
}
"""What people write short, and how it is written in full."""
_DAY = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?![0-9A-Za-z-])")
_OTHER_DAY = re.compile(r"(?:([0-9]{1,4})/([0-9]{1,2})/([0-9]{1,4})|([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{2,4}))(?![0-9]|\.[0-9])")
_ORDINAL = re.compile(r"[0-9]{1,3}(?:st|nd|rd|th)\b", re.IGNORECASE)
_NUMBER = re.compile(r"-?(?:[0-9]+(?:[.,'][0-9]+)*|\.[0-9]+)")
_WORD = re.compile(r"[^\W_]+(?:'(?!s\b)[^\W_]+)*", re.IGNORECASE)
_OWNS = re.compile(r"'s\b", re.IGNORECASE)
_QUOTED = re.compile(r'"([^"]*)"')
_QUOTED_ONCE = re.compile(r"'([^']*)'(?![^\W_])")
_SIGN = re.compile(r">=|<=|=>|=<|==|!=|[^\s]")
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(?:([.,])[0-9]{3})(?:\1[0-9]{3})*")
_APOSTROPHES = re.compile(r"[1-9][0-9]{0,2}(?:'[0-9]{3})+(?:\.[0-9]+)?")
_MOST_DIGITS = 15

_NO_NUMBER = "its points and commas fit no way of writing numbers; write 12500.5"

Kind = Literal["word", "number", "quoted", "day", "sign"]


class Token(NamedTuple):
    """One piece of a sentence.

    `text` is a word in small letters, a quoted value as it stands, a sign; `raw` what was written. A number has a `value`; one
    with a `fault` can't be read.
    """

    kind: Kind
    text: str
    raw: str
    value: float = 0.0
    day: dt.date | None = None
    fault: str = ""


def tokens_of(sentence: str) -> tuple[Token, ...] | Finding:
    """Read a sentence, or say why it isn't one."""
    if len(sentence) > MOST_CHARACTERS:
        return Finding(
            "too_long", f"a goal is said in at most {MOST_CHARACTERS} characters, not {len(sentence)}; or fill in the YAML"
        )
    hidden = [place for place, one in enumerate(sentence) if unicodedata.category(one) in UNSEEN and one not in _BLANK]
    if hidden:
        return Finding("control_character", f"character {hidden[0] + 1} can't be seen or printed; write the sentence without it")
    text = unicodedata.normalize("NFC", sentence).translate(_ALIKE)
    for short, long in _SHORT.items():
        text = short.sub(long, text)
    tokens = tuple(_tokens(text))
    return tokens or Finding("empty", "nothing was said")


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    while at < len(text):
        if text[at].isspace() or _is_joint(text, at):
            at += 1
            continue
        token, at = _token(text, at)
        found.append(token)
    return found


def _is_joint(text: str, at: int) -> bool:
    """Whether a character only joins words, as in `log-loss`, `30-day` and `order_value`, or ends one: `customers' recall`."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if text[at] == "'":
        return before.isalnum() and not after.isalnum()
    if text[at] == "-":
        return (before.isalnum() or before == "%") and after.isalnum() and not ("0" <= after <= "9")
    return text[at] == "_"


def _token(text: str, at: int) -> tuple[Token, int]:
    return _day_at(text, at) or _number_at(text, at) or _words_at(text, at)


def _words_at(text: str, at: int) -> tuple[Token, int]:
    quoted = _QUOTED.match(text, at) or (None if text[at - 1 : at].isalnum() else _QUOTED_ONCE.match(text, at))
    if quoted:
        return Token("quoted", quoted[1], quoted[0]), quoted.end()
    if word := _OWNS.match(text, at) or _ORDINAL.match(text, at) or _WORD.match(text, at):
        return Token("word", word[0].casefold(), word[0]), word.end()
    sign = _SIGN.match(text, at)
    raw = sign[0] if sign else text[at]
    return Token("sign", raw, raw), at + len(raw)


def _day_at(text: str, at: int) -> tuple[Token, int] | None:
    if day := _DAY.match(text, at):
        return _day(day), day.end()
    if other := _OTHER_DAY.match(text, at):
        return _day_otherwise(other), other.end()
    return None


def _number_at(text: str, at: int) -> tuple[Token, int] | None:
    number = _NUMBER.match(text, at)
    if number is None or _ORDINAL.match(text, at):
        return None
    is_range = number[0].startswith("-") and at > 0 and (text[at - 1].isalnum() or text[at - 1] in ")%")
    return None if is_range else (_number(number[0]), number.end())


def _day(found: re.Match[str]) -> Token:
    day = _valid(int(found[1]), int(found[2]), int(found[3]))
    return Token("day", found[0], found[0], day=day, fault="" if day else "there is no such day")


def _day_otherwise(found: re.Match[str]) -> Token:
    """Read `31.03.2027`; a day that could be another one in another country isn't known."""
    first, second, third = (part for part in found.groups() if part is not None)
    orders = [(first, second, third), (first, third, second)] if len(first) == 4 else []
    if len(third) == 4 and len(first) <= 2:
        orders = [(third, second, first), (third, first, second)]
    days = {day for order in orders if (day := _valid(*map(int, order))) is not None}
    if len(days) == 1:
        return Token("day", found[0], found[0], day=days.pop())
    fault = "which of its numbers is the month? Write a day as 2027-03-31" if days or not orders else "there is no such day"
    return Token("day", found[0], found[0], fault=fault)


def _valid(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None


def _number(raw: str) -> Token:
    digits = raw.removeprefix("-")
    sign = -1.0 if raw.startswith("-") else 1.0
    if sum(one.isdigit() for one in digits) > _MOST_DIGITS:
        return Token("number", raw, raw, fault="it has too many digits")
    if digits.count(".") + digits.count(",") == 1 and _THOUSANDS.fullmatch(digits):
        return Token("number", raw, raw, fault="does its mark part thousands, or is it a decimal one? Write 12500 or 12.50")
    plain = _plain(digits)
    return Token("number", raw, raw, fault=_NO_NUMBER) if plain is None else Token("number", raw, raw, value=sign * float(plain))


def _plain(digits: str) -> str | None:
    """Write a number without marks between its thousands and with a decimal point, None where its marks fit no way of writing."""
    if "'" in digits:
        return digits.replace("'", "") if _APOSTROPHES.fullmatch(digits) else None
    marks = [one for one in digits if one in ".,"]
    if len(marks) <= 1:
        return digits.replace(",", ".")
    whole, mark, rest = digits.rpartition(marks[-1])
    if len(set(marks)) == 1 and _THOUSANDS.fullmatch(digits):
        return digits.replace(mark, "")
    if len(set(marks)) == 2 and mark not in marks[:-1] and _THOUSANDS.fullmatch(whole):
        return f"{whole.replace(marks[0], '')}.{rest}"
    return None
