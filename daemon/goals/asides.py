"""Words beside the goal: why it is wanted, by whom, and what a word stands for. They are passed over where they can't change it.

An aside is free in its words, so it is passed over only as long as none of them could be part of a goal: no metric, number, day,
cost, cohort or target, no condition and no negation. Its length is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from daemon.goals.items import Item
from daemon.goals.parts import NothingPart, Part, WishPart
from daemon.goals.reading import Found, Reader, Reading
from daemon.goals.said.asides import CAUSES, HEDGES, MEANS, OPENINGS, REASONS
from daemon.goals.said.countries import COUNTRIES
from daemon.goals.words import ARTICLES, MINUTES, NEGATIONS, PLAIN_NOUNS, SPANS

_MARKS: Final = frozenset({",", ".", ";", ":", "!", "?", ")", "("})
_PREPOSITIONS: Final = frozenset({"in", "on", "for", "among", "from", "at", "with"})
_NOT_FREE: Final = NEGATIONS | HEDGES | SPANS.keys() | MINUTES.keys()
_LISTING: Final = frozenset({",", "and", "or"})
_LONGEST: Final = 12
_LONGEST_PHRASE: Final = 5


class Asides:
    """Reads what stands beside a goal.

    Args:
        content: readers of all that can be part of a goal.
        condition: the item of a cohort that stands at a place, behind words that lead to it.
    """

    def __init__(self, content: Sequence[Reader], condition: Callable[[Reading, int], Item | None]) -> None:
        self._content = content
        self._condition = condition

    def read(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read a reason, who wants it, or a word that is explained behind it."""
        readers = (self._reason, self._role, self._opening, self._gloss, self._country)
        return next((found for reader in readers if (found := reader(reading, at)) is not None), None)

    def _opening(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read `because …` up to a mark, `according to our contract`."""
        opening = OPENINGS.at(reading, at)
        if opening is None:
            return None
        longest = _LONGEST if opening.value == "clause" else _LONGEST_PHRASE
        end = self._past_free(reading, opening.end, longest)
        is_over = reading.token(end) is None or reading.is_one_of(end, _MARKS)
        is_said = end > opening.end or opening.value == "phrase"
        return Found(end, NothingPart()) if is_said and (is_over or (opening.value == "phrase" and end > opening.end)) else None

    def _reason(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read `for audit reasons`, `for compliance`."""
        if not reading.is_one_of(at, {"for"}):
            return None
        if causes := CAUSES.at(reading, at + 1):
            return Found(causes.end, NothingPart())
        end = self._past_free(reading, at + 1, _LONGEST_PHRASE)
        reasons = [place for place in range(at + 1, end) if REASONS.at(reading, place)]
        if not reasons:
            return None
        return Found(end if reading.is_one_of(reasons[0] + 1, {"of"}) else reasons[0] + 1, NothingPart())

    def _role(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read `as a product manager, I want`, at the beginning."""
        if at > 0 or not reading.is_one_of(at, {"as"}) or not reading.is_one_of(at + 1, ARTICLES):
            return None
        end = at + 2
        while end < at + 2 + _LONGEST_PHRASE and not reading.is_one_of(end, {",", "i", "we"}) and self._is_free(reading, end):
            end += 1
        return Found(end, WishPart()) if end > at + 2 and reading.is_one_of(end, {",", "i", "we"}) else None

    def _gloss(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read `in France, i.e.`, where the condition that is meant stands behind it."""
        if not reading.is_one_of(at, _PREPOSITIONS):
            return None
        end = self._past_free(reading, reading.skip(at + 1, ARTICLES), _LONGEST_PHRASE)
        means = MEANS.at(reading, reading.skip(end, {",", "("})) if end > at + 1 else None
        return Found(means.end, NothingPart()) if means is not None and self._condition(reading, means.end) else None

    def _country(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read `Germany` of `Germany (country DE)`, which says the same twice."""
        codes: list[str] = []
        place = end = reading.skip(at, ARTICLES | {"in", "from"})
        while (found := COUNTRIES.at(reading, place)) is not None and len(codes) < _LONGEST:
            codes.append(found.value)
            end = found.end
            place = reading.skip(end, _LISTING | ARTICLES)
        end = reading.skip(end, PLAIN_NOUNS)
        item = self._condition(reading, end + 1) if codes and reading.is_one_of(end, {"("}) else None
        named = [condition.values for condition in item.conditions] if item is not None else []
        return Found(end, NothingPart()) if named == [tuple(sorted(codes))] else None

    def _past_free(self, reading: Reading, at: int, longest: int) -> int:
        """Return the place behind words that could be part of no goal."""
        end = at
        while end < at + longest and self._is_free(reading, end):
            end += 1
        return end

    def _is_free(self, reading: Reading, at: int) -> bool:
        token = reading.token(at)
        if token is None or token.kind != "word" or token.text in _NOT_FREE or MEANS.at(reading, at):
            return False
        return all(reader(reading, at) is None for reader in self._content)
