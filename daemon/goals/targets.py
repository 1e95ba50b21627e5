"""What is to be predicted, and models by their names."""

from __future__ import annotations

from typing import Final

from daemon.goals.naming import METRIC_WORDS
from daemon.goals.parts import NamedPart, NothingPart, Part, TargetPart, Trouble
from daemon.goals.patterns import forms
from daemon.goals.reading import Found, Lexicon, Reading, words_of
from daemon.goals.said.predictions import (
    ASKS,
    CHANCE,
    CHANCES,
    CREATES,
    FOR,
    GOING,
    KINDS,
    PASSIVE,
    PREDICTED,
    PREDICTS,
    WHO,
    WILL,
)
from daemon.goals.said.verbs import WANTED
from daemon.goals.vocabulary import Vocabulary
from daemon.goals.words import ARTICLES, PLAIN_NOUNS

_WHETHER: Final = frozenset({"which", "whether", "if", "who", "that", "of"})
_LISTING: Final = frozenset({",", "and", "or"})
_LEADING: Final = frozenset({"for", "in", "on", "of", "with"}) | ARTICLES
_WHO: Final = frozenset({"who", "that", "which"})
_WHICH: Final = frozenset({"which", "whether", "who"})
_LIKELY: Final = frozenset({"likely", "potential", "probable", "future", "upcoming", "expected", "imminent"})
_REAL: Final = ARTICLES | {"actual", "actually", "real", "really", "all"}
_MOST_BETWEEN: Final = 14


class Names:
    """Reads what is predicted, and models by their names.

    Args:
        vocabulary: which targets and models there are.

    Attributes:
        aliases: columns by what people call what becomes of a request, `churn` or `churners`.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        aliases = {form: column for name, column in vocabulary.targets.items() for form in _forms(name)}
        self._targets = Lexicon({**aliases, **vocabulary.known_targets})
        self.aliases = Lexicon(aliases)
        self._named = dict(vocabulary.targets)
        self._own = _model_phrases((vocabulary.model,))
        self._others = _model_phrases(vocabulary.others)
        self._model = words_of(vocabulary.model)

    def read_target(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read what is to be predicted."""
        if predicts := PREDICTS.at(reading, at):
            return self._columns(reading, predicts.end)
        if reading.is_one_of(at, PREDICTED) and (reading.is_one_of(at - 1, PASSIVE) or self.aliases.at(reading, at - 1)):
            return Found(at + 1, TargetPart(()))
        hows = range(max(0, at - _MOST_BETWEEN), at)
        is_how = any(reading.is_one_of(one, {"how"}) and self._how(reading, one + 1) for one in hows)
        if is_how and (going := GOING.at(reading, at)):  # how late are parcels going to be
            return Found(going.end, TargetPart(()))
        if reading.is_one_of(at, {"how"}) and (column := self._how(reading, at + 1)) is not None:
            return Found(_past_rows(reading, at + 2), TargetPart((column,)))
        creates = CREATES.at(reading, at)
        created = None if creates is None else self._created(reading, creates.end)
        return created or self._asked(reading, at) or self._who(reading, at)

    def _asked(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read `tell us which`, `spot likely churners`, and `which` apart from who is to tell."""
        asks = ASKS.at(reading, at)
        if asks is None:
            is_asked = (
                reading.is_one_of(at, _WHICH) and self._is_asked(reading, at) and self._is_ahead(reading, at, _MOST_BETWEEN)
            )
            return Found(at + 1, TargetPart(())) if is_asked else None
        named = self._columns(reading, asks.end)
        is_named = named.end > reading.skip(asks.end, _WHETHER) or reading.is_one_of(asks.end, _WHETHER)
        if is_named or self._is_ahead(reading, asks.end, _MOST_BETWEEN):
            return named
        column = self._how(reading, asks.end + 1) if reading.is_one_of(asks.end, {"how"}) else None
        if column is not None:
            return Found(_past_rows(reading, asks.end + 2), TargetPart((column,)))
        return Found(asks.end, TargetPart(())) if self._is_apart(reading, asks.end) else None

    def _is_apart(self, reading: Reading, at: int) -> bool:
        """Whether what is asked for follows soon: `let us know in advance who churns`, `know a week in advance how late`."""
        return any(
            (reading.is_one_of(place, {"who"}) and self.read_named(reading, place) is not None)
            or (reading.is_one_of(place, {"how"}) and self._how(reading, place + 1) is not None)
            for place in range(at, at + _MOST_BETWEEN)
        )

    def _is_asked(self, reading: Reading, at: int) -> bool:
        """Whether what asks for a prediction stands before: `tell us 14 days in advance which`."""
        before = range(max(0, at - _MOST_BETWEEN), at)
        return any(ASKS.at(reading, place) is not None or PREDICTS.at(reading, place) is not None for place in before)

    def read_named(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read the name of what can be predicted, apart from the verb."""
        will = WILL.at(reading, reading.skip(at, _WHO)) or CHANCES.at(reading, at)
        place = reading.skip(will.end if will else reading.skip(at, _WHO), _REAL)
        if reading.is_one_of(place, PLAIN_NOUNS) and self.aliases.at(reading, place + 1) is not None:
            place += 1  # customer churn
        found = self.aliases.at(reading, place)
        return (
            None if found is None else Found(CHANCE.past(reading, found.end), NamedPart(found.value, reading.tokens[place].raw))
        )

    def read_model(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read a model's name, which says nothing more where it is the one that the goal is for."""
        place = reading.skip(at, _LEADING)
        if own := self._own.at(reading, place):
            return Found(own.end, NothingPart())
        if other := self._others.at(reading, place):
            return Found(
                other.end, Trouble("other_model", f"the sentence speaks of the model {other.value}; name it with --model")
            )
        end = len(self._model)
        if at == 0 and tuple(token.text for token in reading.tokens[:end]) == self._model and reading.is_one_of(end, {":"}):
            return Found(end + 1, NothingPart())
        return None

    def _how(self, reading: Reading, at: int) -> str | None:
        """Return the column that `how late` asks for, where only one that is to be predicted has the word in its name."""
        columns = {column for column in self._named.values() if reading.is_one_of(at, column.casefold().split("_"))}
        return columns.pop() if len(columns) == 1 else None

    def _created(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read `a churn model`, `a model that can tell who will churn`: what is to be made, with what it predicts."""
        target = self._targets.at(reading, at)
        kind = KINDS.at(reading, target.end if target else at)
        if kind is None:
            return None
        if target is not None:
            is_own = kind.value == "model" and not reading.is_one_of(at - 1, {"a", "an", "another", "new"})
            return None if is_own else Found(kind.end, TargetPart((target.value,)))
        link = FOR.at(reading, kind.end)
        found = None if link is None else self._columns(reading, link.end)
        is_asked = (
            found is not None and link is not None and (found.end > link.end or self._is_ahead(reading, link.end, _MOST_BETWEEN))
        )
        return found if is_asked else None

    def _who(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read the beginning of `which customers will churn?`, where the name of a target follows."""
        who = WHO.at(reading, at)
        begins = at == 0 or reading.is_one_of(at - 1, {".", ";", ":", "!"})
        if who is None or not begins or not self._is_ahead(reading, who.end, _MOST_BETWEEN):
            return None
        nouns = reading.skip(who.end, PLAIN_NOUNS)
        return self._columns(reading, who.end) if WILL.at(reading, nouns) else Found(who.end, TargetPart(()))

    def _is_ahead(self, reading: Reading, at: int, most: int) -> bool:
        """Whether `will churn` follows soon, with no metric and no verb of a goal before it."""
        for place in range(at, min(len(reading.tokens), at + most)):
            if WILL.at(reading, place) is not None and self.read_named(reading, place) is not None:
                return True
            if (
                METRIC_WORDS.at(reading, place)
                or WANTED.at(reading, place)
                or reading.tokens[place].kind not in {"word", "number"}
            ):
                return False
        return False

    def _columns(self, reading: Reading, at: int) -> Found[Part]:
        columns: list[str] = []
        end = place = reading.skip(at, _WHETHER)
        while (found := self._target_at(reading, place)) is not None:
            columns.append(found.value)
            end = found.end
            place = reading.skip(end, _LISTING)
            if place == end:
                break
        return Found(end, TargetPart(tuple(dict.fromkeys(columns))))

    def _target_at(self, reading: Reading, at: int) -> Found[str] | None:
        """Return the column that is meant by `which customers will churn`, or by its name."""
        place = reading.skip(at, ARTICLES | _LIKELY | {"our", "all", "those"})
        place = CHANCES.past(reading, place)
        found = self._targets.at(reading, reading.skip(place, ARTICLES))
        if found is None:
            place = reading.skip(place, PLAIN_NOUNS | ARTICLES | _WHO | {"'s", "they"})
            will = WILL.at(reading, place)
            found = self._targets.at(reading, will.end if will else place)
        return None if found is None else Found(CHANCE.past(reading, found.end), found.value)


def _past_rows(reading: Reading, at: int) -> int:
    """Return the place behind `will parcels` of `how late will parcels be`, the place itself where no rows are named."""
    noun = reading.skip(at, ARTICLES | {"will", "are", "is", "our", "all"})
    return noun + 1 if reading.is_one_of(noun, PLAIN_NOUNS) else at


def _forms(name: str) -> list[str]:
    """Return how people use the name of a target: `churn`, `churns`, `churning`, `churners`."""
    return [f"{name}s", f"{name}er", f"{name}ers", *forms(name), name]


def _model_phrases(names: tuple[str, ...]) -> Lexicon[str]:
    patterns = ("{} model", "{} model 's", "model {}", "model : {}", "{} classifier", "{} regressor")
    return Lexicon({pattern.format(name): name for name in names for pattern in patterns})
