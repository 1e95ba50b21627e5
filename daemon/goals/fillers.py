"""Words that hold a sentence together, say that something is wanted, or begin a question."""

from __future__ import annotations

from daemon.goals.parts import NothingPart, Part, QuestionPart, WishPart
from daemon.goals.reading import Found, Reading
from daemon.goals.said.champion import STANDS
from daemon.goals.said.fillers import ASKED, BUT, HAVE, NOTHING, TELLS, WANTS, WHO_HAS, WHO_IS_ASKED, WHO_WANTS, WISHES
from daemon.goals.said.verbs import WANTED


def read_nothing(reading: Reading, at: int) -> Found[Part] | None:
    """Read words that only hold a sentence together, or say that something is to be."""
    if who := WHO_WANTS.at(reading, at):
        wants = WANTS.at(reading, who.end)
        if wants is not None:
            return Found(wants.end, WishPart())
    wishes, nothing = WISHES.at(reading, at), NOTHING.at(reading, at) or (TELLS.at(reading, at) if at > 0 else None)
    if wishes is not None and (nothing is None or nothing.end <= wishes.end):
        return Found(wishes.end, WishPart())
    if nothing is not None:
        return Found(nothing.end, NothingPart())
    is_between = reading.is_one_of(at, BUT) and WANTED.at(reading, at + 1) is not None
    has = reading.is_one_of(at, HAVE) and not reading.is_one_of(at - 1, WHO_HAS)
    return Found(at + 1, NothingPart()) if is_between or has else _dash(reading, at) or _since(reading, at)


def read_question(reading: Reading, at: int) -> Found[Part] | None:
    """Read the first word of a question, or of a condition: `will recall …?`, `should recall fall …`."""
    first = reading.token(at)
    begins = at == 0 or reading.is_one_of(at - 1, {".", ";", "!", "?"})
    if first is None or not begins or not reading.is_one_of(at, ASKED) or reading.is_one_of(at + 1, WHO_IS_ASKED):
        return None
    return Found(at + 1, QuestionPart(first.text))


def _since(reading: Reading, at: int) -> Found[Part] | None:
    """Read `from where it stands`, which every change is counted from anyway."""
    stands = STANDS.at(reading, at + 1) if reading.is_one_of(at, {"from"}) else None
    return Found(stands.end, NothingPart()) if stands is not None else None


def _dash(reading: Reading, at: int) -> Found[Part] | None:
    """Read a dash between words, which is no minus."""
    after = reading.token(at + 1)
    is_dash = reading.is_one_of(at, {"-"}) and (after is None or after.kind != "number")
    return Found(at + 1, NothingPart()) if is_dash else None
