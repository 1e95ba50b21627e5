"""Words beside the goal: why it is wanted, by whom, and what a word stands for. They are laid aside where they can't change it.

An aside is free in its words, so what stands around them must say that it is one, and none of them may be part of a goal: no
metric, number, day, cost, cohort or target, no condition and no negation. Its length is bounded, and a person is shown it.
Clauses that are free altogether aren't laid aside, wherever they stand: a word that nobody declared may name a cohort (`students
here`), take the goal back (`I was joking`) or refuse it (`we hesitate to ask for`), and no list of such words has an end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from daemon.goals.fillers import begins
from daemon.goals.horizons import read_horizon
from daemon.goals.items import Item
from daemon.goals.naming import METRIC_WORDS
from daemon.goals.parts import AsidePart, HorizonPart, NothingPart, Part
from daemon.goals.reading import Found, Lexicon, Reader, Reading
from daemon.goals.said.asides import (
    CAUSES,
    DOCUMENTS,
    HEDGES,
    HERE,
    LEADS,
    MEANS,
    ON_BEHALF,
    OPENINGS,
    PROMISED,
    REASONS,
    SEASONS,
    STAKEHOLDERS,
    UNDER,
    VIEWS,
)
from daemon.goals.said.countries import COUNTRIES
from daemon.goals.said.fillers import SAYS, WANTS, WISHES
from daemon.goals.words import ARTICLES, MINUTES, NEGATIONS, PLAIN_NOUNS, SPANS

_MARKS: Final = frozenset({",", ".", ";", ":", "!", "?", ")", "("})
_PREPOSITIONS: Final = frozenset({"in", "on", "for", "among", "from", "at", "with"})
_NOT_FREE: Final = NEGATIONS | HEDGES | SPANS.keys() | MINUTES.keys()
_SPEAKERS: Final = frozenset({",", "i", "we", "i'd", "we'd", "i'm", "we're"})
_LISTING: Final = frozenset({",", "and", "or"})
_OWN: Final = ARTICLES | {"our", "my", "your", "their", "this", "these", "both"}
_BEFORE_CLAUSES: Final = frozenset({",", ".", ";", ":", "!", "(", "-", "and", "because", "since", "so", "but"})
_JOINS: Final = ARTICLES | {
    "for", "in", "on", "with", "at", "from", "of", "to", "by", "about", "who", "that", "which", "and", "our", "my", "their",
    "your", "via", "using", "within", "inside", "near", "towards", "against", "into", "through", "across", "among", "between",
    "is", "are",
}  # fmt: skip
"""Words that no name goes on behind: `for students the board` is none of a board."""
_NUMBERED: Final = frozenset({"section", "article", "clause", "paragraph", "annex"})
_MOST_BEFORE_NAMES: Final = 3
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
        if reading.tokens[at].kind != "word":
            return None
        readers = (
            self._stakeholder,
            self._reason,
            self._promised,
            self._speaker,
            self._opening,
            self._again,
            self._gloss,
            self._season,
            self._country,
        )
        return next((found for reader in readers if (found := reader(reading, at)) is not None), None)

    def _opening(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read `because …` up to a mark, `according to our contract`."""
        opening = OPENINGS.at(reading, at)
        if opening is None:
            return None
        longest = {"clause": _LONGEST, "phrase": _LONGEST_PHRASE, "word": 0}[opening.value]
        end = self._past_free(reading, opening.end, longest)
        is_over = reading.token(end) is None or reading.is_one_of(end, _MARKS)
        is_said = end > opening.end if opening.value == "phrase" else is_over
        return Found(end, AsidePart()) if is_said and (end > opening.end or opening.value == "word") else None

    def _reason(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read `for audit reasons`, `for compliance`."""
        is_behind = reading.is_one_of(at - 1, {"for"})
        if causes := CAUSES.at(reading, at if is_behind else at + 1):
            return Found(causes.end, AsidePart()) if is_behind or reading.is_one_of(at, {"for"}) else None
        if reading.is_one_of(at, {"from"}) and (view := self._past_named(reading, reading.skip(at + 1, _OWN), VIEWS)):
            return Found(view, AsidePart())
        if not reading.is_one_of(at, {"for"}):
            return None
        end = self._past_free(reading, at + 1, _LONGEST_PHRASE)
        reasons = [place for place in range(at + 1, end) if REASONS.at(reading, place)]
        if not reasons:
            return None
        return Found(end if reading.is_one_of(reasons[0] + 1, {"of"}) else reasons[0] + 1, AsidePart())

    def _stakeholder(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read `our risk officer insists on`, `under the risk framework`, at the beginning of a clause."""
        if at > 0 and not reading.is_one_of(at - 1, _BEFORE_CLAUSES):
            return None
        behalf, under = ON_BEHALF.at(reading, at), UNDER.at(reading, at)
        lead = behalf or under
        place = lead.end if lead else reading.skip(at, _OWN)
        who, what = self._past_named(reading, place, STAKEHOLDERS), self._past_named(reading, place, DOCUMENTS)
        if lead is not None:
            end = what or (who if behalf else None)
            return None if end is None else Found(end, AsidePart())
        end = max(who or 0, what or 0)
        wants = WANTS.at(reading, end) if end else None
        if wants is not None:
            return Found(wants.end, AsidePart(is_wish=True))
        says = SAYS.at(reading, end) if end else None
        if says is not None:
            return Found(says.end, AsidePart())
        return Found(end, AsidePart()) if end and WISHES.at(reading, end) is not None else None

    def _past_named(self, reading: Reading, at: int, names: Lexicon[str]) -> int | None:
        """Return the place behind a name with a few words before it that are part of no goal: `new regional risk officer`."""
        for place in range(at, at + _MOST_BEFORE_NAMES + 1):
            item = self._condition(reading, place)
            if item is not None and not item.nouns:  # `new` alone tells no customers
                break
            if (found := names.at(reading, place)) is not None:
                return self._past_place(reading, found.end)
            if not self._is_free(reading, place) or reading.is_one_of(place, _JOINS):
                break
        return None

    def _past_place(self, reading: Reading, at: int) -> int:
        """Return the place behind where in a document it is: `section 4 of our agreement`."""
        number, is_in = reading.token(at), reading.is_one_of(at - 1, _NUMBERED)
        if number is None or number.kind != "number" or not is_in:
            return at
        of = reading.skip(at + 1, _OWN | {"of", "in"})
        named = DOCUMENTS.at(reading, of) if of > at + 1 else None
        return named.end if named else at + 1

    def _speaker(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read who speaks, at the beginning: `as counsel I`, `I'm a ward nurse and`, `call centre here`.

        Only who has a role: what else stands there (`as a fallback, I want`, `weekends here`) may say something of the goal.
        """
        if not begins(reading, at):
            return None
        lead = LEADS.at(reading, at)
        end = self._past_named(reading, reading.skip(lead.end if lead else at, _OWN), STAKEHOLDERS)
        if end is None:
            return None
        if lead is not None and lead.value == "role":
            end = self._past_free(reading, end + 1, _LONGEST_PHRASE, _SPEAKERS) if reading.is_one_of(end, {"of"}) else end
            return Found(end, AsidePart(is_wish=True)) if reading.is_one_of(end, _SPEAKERS) else None
        here = HERE.at(reading, end)
        end = here.end if here else end
        is_over = (here is not None or (lead is not None and lead.value == "self")) and reading.is_one_of(end, _MARKS | {"and"})
        return Found(end, AsidePart()) if is_over else None

    def _promised(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read `is what we promised the auditors`, up to a mark."""
        promised = PROMISED.at(reading, at)
        who = None if promised is None else self._past_named(reading, reading.skip(promised.end, _OWN | {"to"}), STAKEHOLDERS)
        end = who or (promised.end if promised else at)
        is_over = reading.token(end) is None or reading.is_one_of(end, _MARKS)
        return Found(end, AsidePart()) if promised is not None and is_over else None

    def _again(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read `i.e.` between two conditions that are the same: `in France, i.e. where country is FR`."""
        means = MEANS.at(reading, at)
        item = None if means is None else self._condition(reading, means.end)
        if means is None or item is None:
            return None
        before = (self._condition(reading, place) for place in range(max(0, at - _LONGEST_PHRASE), at))
        is_same = any(one is not None and one.conditions == item.conditions for one in before)
        return Found(means.end, NothingPart()) if is_same else None

    def _gloss(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read `in France, i.e.`, where the condition that is meant stands behind it."""
        is_subject = reading.is_one_of(at, ARTICLES | {"our"}) and begins(reading, at)
        if not (is_subject or reading.is_one_of(at, _PREPOSITIONS)) or self._condition(reading, at) is not None:
            return None
        end = self._past_free(reading, reading.skip(at + 1, ARTICLES), _LONGEST_PHRASE)
        means = MEANS.at(reading, reading.skip(end, {",", "("})) if end > at + 1 else None
        is_meant = means is not None and (
            self._condition(reading, means.end) is not None
            or METRIC_WORDS.at(reading, reading.skip(means.end, ARTICLES | {"our"})) is not None
        )
        return Found(means.end, AsidePart()) if means is not None and is_meant else None

    def _season(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read `peak season` of `Peak season (2026-12-01 to 2026-12-24):`, where the days that are meant stand behind it."""
        end = self._past_named(reading, reading.skip(at, ARTICLES), SEASONS) if begins(reading, at) else None
        if end is None:
            return None
        days = read_horizon(reading, end + 1) if reading.is_one_of(end, {"("}) else None
        is_meant = days is not None and isinstance(days.value, HorizonPart) and reading.is_one_of(days.end, {")"})
        is_all = days is not None and reading.is_one_of(days.end + 1, {":", ",", ".", "-"})
        return Found(end, AsidePart()) if is_meant and is_all else None

    def _country(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read `Germany` of `Germany (country DE)`, which says the same twice."""
        codes: list[str] = []
        place = end = reading.skip(at, _PREPOSITIONS | ARTICLES | PLAIN_NOUNS)
        if self._condition(reading, place) is not None:
            return None
        while (found := COUNTRIES.at(reading, place)) is not None and len(codes) < _LONGEST:
            codes.append(found.value)
            end = found.end
            place = reading.skip(end, _LISTING | ARTICLES)
        end = reading.skip(end, PLAIN_NOUNS)
        item = self._condition(reading, end + 1) if codes and reading.is_one_of(end, {"("}) else None
        named = [condition.values for condition in item.conditions] if item is not None else []
        return Found(end, NothingPart()) if named == [tuple(sorted(codes))] else None

    def _past_free(self, reading: Reading, at: int, longest: int, stops: frozenset[str] = frozenset()) -> int:
        """Return the place behind words that could be part of no goal, at most up to some that stop it."""
        end = at
        while end < at + longest and self._is_free(reading, end) and not reading.is_one_of(end, stops):
            end += 1
        return end

    def _is_free(self, reading: Reading, at: int) -> bool:
        token = reading.token(at)
        if token is None or token.kind != "word" or token.text in _NOT_FREE or MEANS.at(reading, at):
            return False
        return all(reader(reading, at) is None for reader in self._content)
