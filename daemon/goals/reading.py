"""Reading along the tokens of one sentence: phrases from lists of words, numbers, and what parts are found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

from daemon.goals.checks import Finding
from daemon.goals.parts import Part
from daemon.goals.tokens import Token, tokens_of
from daemon.goals.vocabulary import Vocabulary
from daemon.goals.words import NUMBERS, TENS

Meaning = TypeVar("Meaning")


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
        token = self.token(at)
        return token is not None and token.kind in {"word", "sign"} and token.text in options

    def skip(self, at: int, options: Iterable[str]) -> int:
        """Return the place behind all words and signs of some."""
        known = frozenset(options)
        while self.is_one_of(at, known):
            at += 1
        return at


Reader = Callable[[Reading, int], "Found[Part] | None"]
"""Looks for one kind of part that begins at a place."""


class Lexicon(Generic[Meaning]):
    """Phrases with a meaning each; of several that begin at a place the longest counts.

    Args:
        phrases: what people write, and what it means.
    """

    def __init__(self, phrases: Mapping[str, Meaning]) -> None:
        self._meanings: dict[tuple[str, ...], Meaning] = {}
        for phrase, meaning in phrases.items():
            self._meanings[words_of(phrase)] = meaning
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

    def knows(self, words: tuple[str, ...]) -> bool:
        """Whether words are one of the phrases."""
        return words in self._meanings


def words_of(phrase: str) -> tuple[str, ...]:
    """Split a phrase as sentences are split; nothing of one that can't be split."""
    tokens = tokens_of(phrase)
    return () if isinstance(tokens, Finding) else tuple(token.text for token in tokens)


def number_at(reading: Reading, at: int) -> Found[Token] | None:
    """Return the number at a place, in digits or in words up to ninety-nine, None where it can't be read."""
    token = reading.token(at)
    if token is None or token.fault:
        return None
    if token.kind == "number":
        return Found(at + 1, token)
    value = (NUMBERS | TENS).get(token.text) if token.kind == "word" else None
    if value is None:
        return None
    after = reading.token(at + 1)
    ones = NUMBERS.get(after.text, 0) if token.text in TENS and after is not None and after.kind == "word" else 0
    is_compound = 0 < ones < 10
    return Found(at + 2 if is_compound else at + 1, token._replace(kind="number", value=float(value + ones * is_compound)))
