"""What is to be predicted, and models by their names."""

from __future__ import annotations

from typing import Final

from daemon.goals.naming import METRIC_WORDS
from daemon.goals.parts import NamedPart, NothingPart, Part, TargetPart, Trouble
from daemon.goals.patterns import forms
from daemon.goals.reading import Found, Lexicon, Reading, words_of
from daemon.goals.said.predictions import ASKS, CHANCE, CHANCES, CREATES, FOR, KINDS, PASSIVE, PREDICTED, PREDICTS, WHO, WILL
from daemon.goals.said.verbs import WANTED
from daemon.goals.vocabulary import Vocabulary
from daemon.goals.words import ARTICLES, PLAIN_NOUNS

_WHETHER: Final = frozenset({"which", "whether", "if", "who", "that", "of"})
_LISTING: Final = frozenset({",", "and", "or"})
_LEADING: Final = frozenset({"for", "in", "on", "of", "with"}) | ARTICLES
_WHO: Final = frozenset({"who", "that", "which"})
_MOST_BETWEEN: Final = 8


class Names:
    """Reads what is predicted, and models by their names.

    Args:
        vocabulary: which targets and models there are.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        aliases = {form: column for name, column in vocabulary.targets.items() for form in _forms(name)}
        self._targets = Lexicon({**aliases, **vocabulary.known_targets})
        self._aliases = Lexicon(aliases)
        self._own = _model_phrases((vocabulary.model,))
        self._others = _model_phrases(vocabulary.others)
        self._model = words_of(vocabulary.model)

    def read_target(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read what is to be predicted."""
        if predicts := PREDICTS.at(reading, at):
            return self._columns(reading, predicts.end)
        if reading.is_one_of(at, PREDICTED) and (reading.is_one_of(at - 1, PASSIVE) or self._aliases.at(reading, at - 1)):
            return Found(at + 1, TargetPart(()))
        creates = CREATES.at(reading, at)
        if creates is not None and (created := self._created(reading, creates.end)) is not None:
            return created
        asks = ASKS.at(reading, at)
        if asks is not None and (reading.is_one_of(asks.end, _WHETHER) or self._is_ahead(reading, asks.end, _MOST_BETWEEN)):
            return self._columns(reading, asks.end)
        return self._who(reading, at)

    def read_named(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read the name of what can be predicted, apart from the verb."""
        will = WILL.at(reading, reading.skip(at, _WHO)) or CHANCES.at(reading, at)
        place = reading.skip(will.end if will else at, ARTICLES)
        found = self._aliases.at(reading, place)
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
        place = reading.skip(at, ARTICLES | {"our", "all", "those"})
        place = CHANCES.past(reading, place)
        found = self._targets.at(reading, reading.skip(place, ARTICLES))
        if found is None:
            place = reading.skip(place, PLAIN_NOUNS | ARTICLES | _WHO | {"'s"})
            will = WILL.at(reading, place)
            found = self._targets.at(reading, will.end if will else place)
        return None if found is None else Found(CHANCE.past(reading, found.end), found.value)


def _forms(name: str) -> list[str]:
    """Return how people use the name of a target: `churn`, `churns`, `churning`, `churners`."""
    return [f"{name}s", f"{name}er", f"{name}ers", *forms(name), name]


def _model_phrases(names: tuple[str, ...]) -> Lexicon[str]:
    patterns = ("{} model", "{} model 's", "model {}", "model : {}", "{} classifier", "{} regressor")
    return Lexicon({pattern.format(name): name for name in names for pattern in patterns})
