"""Words that hold a sentence together, say that something is wanted, or begin a question."""

from __future__ import annotations

from typing import Final

from daemon.goals.parts import AlsoPart, NothingPart, Part, QuestionPart, WishPart
from daemon.goals.reading import Found, Reading
from daemon.goals.said.champion import STANDS
from daemon.goals.said.fillers import ALSO, ASKED, BUT, HAVE, NOTHING, SLIPPED, TELLS, WHO_HAS, WHO_IS_ASKED, WISHES
from daemon.goals.said.verbs import WANTED
from daemon.goals.words import POINTS

_POLITE: Final = frozenset({"can", "could", "would"})
_FAR: Final = 20


def read_nothing(reading: Reading, at: int) -> Found[Part] | None:
    """Read words that only hold a sentence together, or say that something is to be."""
    wishes, nothing = WISHES.at(reading, at), NOTHING.at(reading, at) or (TELLS.at(reading, at) if at > 0 else None)
    if wishes is not None and (nothing is None or nothing.end <= wishes.end):
        return Found(wishes.end, WishPart())
    if nothing is not None:
        return Found(nothing.end, NothingPart())
    slipped = SLIPPED.at(reading, at)
    if slipped is not None and reading.is_one_of(slipped.end, {",", ";", ".", "!"}):
        return Found(slipped.end, NothingPart())
    if also := ALSO.at(reading, at):
        return Found(also.end, AlsoPart())
    is_between = reading.is_one_of(at, BUT) and (WANTED.at(reading, at + 1) or WISHES.at(reading, at + 1)) is not None
    has = reading.is_one_of(at, HAVE) and not reading.is_one_of(at - 1, WHO_HAS)
    return Found(at + 1, NothingPart()) if is_between or has else _dash(reading, at) or _since(reading, at)


def read_question(reading: Reading, at: int) -> Found[Part] | None:
    """Read the first word of a question, or of a condition: `will recall …?`, `should recall fall …`."""
    first = reading.token(at)
    if first is None or not begins(reading, at) or not reading.is_one_of(at, ASKED) or reading.is_one_of(at + 1, WHO_IS_ASKED):
        return None
    is_polite = reading.is_one_of(at, _POLITE) and any(reading.is_one_of(one, {"please"}) for one in range(at, at + _FAR))
    return Found(at + 1, WishPart() if is_polite else QuestionPart(first.text))


def _since(reading: Reading, at: int) -> Found[Part] | None:
    """Read `from where it stands`, which every change is counted from anyway; of shares, `than today` says more."""
    leads = {"from", "than"} if reading.vocabulary.schema.task == "regression" else {"from"}
    leads |= {"over", "against", "versus", "vs"} if reading.is_one_of(at - 1, POINTS) else set()
    stands = STANDS.at(reading, at + 1) if reading.is_one_of(at, leads) else None
    return Found(stands.end, NothingPart()) if stands is not None else None


def begins(reading: Reading, at: int) -> bool:
    """Whether a sentence begins at a place."""
    return at == 0 or reading.is_one_of(at - 1, {".", ";", "!", "?"})


def _dash(reading: Reading, at: int) -> Found[Part] | None:
    """Read a dash between words, which is no minus."""
    after = reading.token(at + 1)
    is_dash = reading.is_one_of(at, {"-"}) and (after is None or after.kind != "number")
    return Found(at + 1, NothingPart()) if is_dash else None
