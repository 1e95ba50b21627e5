"""What turns the words around it: `must never`, `don't let`, `prevent`, `… is unacceptable`."""

from __future__ import annotations

from typing import Final, NamedTuple

from daemon.goals.naming import METRIC_WORDS
from daemon.goals.parts import DenialPart, Part
from daemon.goals.reading import Found, Reading
from daemon.goals.said.denials import BEHIND, CHAIN, FRONTED, LETS, PREVENTS, TOLD, Link
from daemon.goals.words import ARTICLES

_MOST_LINKS: Final = 8


class Chain(NamedTuple):
    """The words before a verb: what they are, in order."""

    end: int
    links: tuple[Link, ...]
    is_told: bool = False

    @property
    def is_denied(self) -> bool:
        """Whether they deny what follows."""
        return self.links.count("not") == 1

    @property
    def is_sure(self) -> bool:
        """Whether it is clear what they say, and that it isn't what was: `didn't` is."""
        return self.is_clear and not self.is_told

    @property
    def is_clear(self) -> bool:
        """Whether it is clear what they say: two denials aren't, nor `doesn't have to` and `not always`."""
        behind = self.links[self.links.index("not") + 1 :] if "not" in self.links else ()
        return self.links.count("not") <= 1 and not {"duty", "always"} & set(behind)

    @property
    def is_wanted(self) -> bool:
        """Whether they say that something is to be."""
        return not self.is_denied and bool({"modal", "duty"} & set(self.links))

    @property
    def is_let(self) -> bool:
        """Whether they say that something may be."""
        return "leave" in self.links and not self.is_denied


def chain_at(reading: Reading, at: int) -> Chain:
    """Read all words that stand before a verb, maybe none."""
    links: list[Link] = []
    end = at
    while len(links) < _MOST_LINKS and (found := CHAIN.at(reading, end)) is not None:
        links.append(found.value)
        end = found.end
    return Chain(end, tuple(links), any(reading.is_one_of(place, TOLD) for place in range(at, end)))


def read_denial(reading: Reading, at: int) -> Found[Part] | None:
    """Read what denies a bound or change that stands apart."""
    if behind := BEHIND.at(reading, at):
        return Found(behind.end, DenialPart(is_behind=True))
    if prevents := PREVENTS.at(reading, at):
        return Found(prevents.end, DenialPart())
    chain = chain_at(reading, at)
    if chain.is_denied and chain.is_sure and (lets := LETS.at(reading, chain.end)):
        return Found(lets.end, DenialPart())
    fronted = FRONTED.at(reading, at)
    if fronted is not None and (named := _metric_behind(reading, chain.end)) is not None:
        return Found(named, DenialPart()) if chain.is_denied and chain.is_sure else None
    if reading.is_one_of(at, {"no"}) and METRIC_WORDS.at(reading, at + 1) is not None:
        return Found(at + 1, DenialPart())
    return None


def _metric_behind(reading: Reading, at: int) -> int | None:
    """Return the place where a metric begins, behind its article."""
    place = reading.skip(at, ARTICLES | {"our"})
    return place if METRIC_WORDS.at(reading, place) is not None else None
