"""Reading along the tokens of one sentence: phrases from tables, and what parts are found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Generic, NamedTuple, TypeVar

from daemon.goals.checks import Finding
from daemon.goals.parts import Part
from daemon.goals.patterns import spelled
from daemon.goals.tokens import Token, tokens_of
from daemon.goals.vocabulary import Vocabulary

Meaning = TypeVar("Meaning")
_MOST_SKIPPED: Final = 6
"""So that reading from each place of a sentence takes no longer than the sentence is long, whatever stands there."""


class Found(NamedTuple, Generic[Meaning]):
    """Something that was found, and the place behind it."""

    end: int
    value: Meaning


class Reading(NamedTuple):
    """A sentence and what it may speak of. Places are indices of tokens; those behind the end are read as nothing."""

    tokens: tuple[Token, ...]
    vocabulary: Vocabulary

    def token(self, at: int) -> Token | None:
        """Return the token at a place."""
        return self.tokens[at] if 0 <= at < len(self.tokens) else None

    def is_one_of(self, at: int, options: Iterable[str]) -> bool:
        """Whether a word or sign is one of some."""
        if not 0 <= at < len(self.tokens):
            return False
        token = self.tokens[at]
        return token.text in options and token.kind in {"word", "sign"}

    def skip(self, at: int, options: Iterable[str]) -> int:
        """Return the place behind all words and signs of some; behind the first few of very many, which nobody says."""
        known = frozenset(options)
        end = at
        while end < at + _MOST_SKIPPED and self.is_one_of(end, known):
            end += 1
        return end


Reader = Callable[[Reading, int], "Found[Part] | None"]
"""Looks for one kind of part that begins at a place."""


def remembered(reader: Callable[[Reading, int], Meaning]) -> Callable[[Reading, int], Meaning]:
    """Let a reader of one sentence look at each place once, however many others ask it: reading stays as long as the sentence."""
    known: dict[int, Meaning] = {}

    def read(reading: Reading, at: int) -> Meaning:
        if at not in known:
            known[at] = reader(reading, at)
        return known[at]

    return read


class Lexicon(Generic[Meaning]):
    """Phrases with a meaning each; of several that begin at a place the longest counts.

    Args:
        phrases: what people write, and what it means.
    """

    def __init__(self, phrases: Mapping[str, Meaning]) -> None:
        self._meanings: dict[tuple[str, ...], Meaning] = {}
        for phrase, what in phrases.items():
            self._meanings[words_of(phrase)] = what
        self._longest = max(map(len, self._meanings), default=0)

    def at(self, reading: Reading, at: int) -> Found[Meaning] | None:
        """Return the meaning of the longest phrase at a place."""
        words: list[str] = []
        for token in reading.tokens[at : at + self._longest]:
            if token.kind not in {"word", "sign", "number"}:
                break
            words.append(token.text)
        for length in range(len(words), 0, -1):
            key = tuple(words[:length])
            if key in self._meanings:
                return Found(at + length, self._meanings[key])
        return None

    def past(self, reading: Reading, at: int) -> int:
        """Return the place behind all phrases that follow each other from a place on, or the first few of very many."""
        for _ in range(_MOST_SKIPPED):
            found = self.at(reading, at)
            if found is None:
                break
            at = found.end
        return at

    def knows(self, words: tuple[str, ...]) -> bool:
        """Whether words are one of the phrases."""
        return words in self._meanings


def meaning(what: Meaning, *patterns: str) -> dict[str, Meaning]:
    """Give all phrases of some patterns one meaning; see `daemon.goals.patterns`."""
    return dict.fromkeys(spelled(*patterns), what)


def listed(*patterns: str) -> Lexicon[str]:
    """Return a lexicon of phrases of which only matters that one stands there."""
    return Lexicon(meaning("", *patterns))


def words_of(phrase: str) -> tuple[str, ...]:
    """Split a phrase as sentences are split; nothing of one that can't be split."""
    if phrase.isascii() and phrase.replace(" ", "").isalpha():
        return tuple(phrase.casefold().split())
    tokens = tokens_of(phrase)
    return () if isinstance(tokens, Finding) else tuple(token.text for token in tokens)
