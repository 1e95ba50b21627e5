"""What is to be done with what: verbs, metrics, what is predicted, the model's name, and words that hold sentences together."""

from __future__ import annotations

from typing import Final

from daemon.goals.metrics import AMBIGUOUS, METRICS
from daemon.goals.parts import MetricPart, NamedPart, NothingPart, Part, TargetPart, Trouble, Verb, VerbPart
from daemon.goals.reading import Found, Lexicon, Reading, words_of
from daemon.goals.vocabulary import Vocabulary
from daemon.goals.words import ARTICLES

METRIC_WORDS: Final = Lexicon[Part]({
    **{said: MetricPart(metric) for metric in METRICS.values() for said in (metric.name, *metric.said)},
    **{said: Trouble("ambiguous_metric", f"{said}: {what}") for said, what in AMBIGUOUS.items()},
})  # fmt: skip
_SCORES: Final = frozenset({"score", "value", "metric"})

_VERBS: Final = Lexicon[Verb]({
    **dict.fromkeys(
        (
            "keep", "keeps", "kept", "keeping", "maintain", "maintained", "maintaining", "hold", "held", "sustain", "preserve",
            "stay", "stays", "remain", "remains", "ensure", "ensured", "guarantee", "guaranteed", "make sure", "see to it",
            "make certain",
        ),
        "hold",
    ),
    **dict.fromkeys(
        (
            "improve", "improving", "improved", "optimise", "optimize", "optimised", "optimized", "better", "enhance",
            "retrain for better", "retrain to improve", "retrain for a better",
        ),
        "improve",
    ),
    **dict.fromkeys(
        (
            "raise", "raised", "increase", "increased", "increasing", "boost", "lift", "maximise", "maximize", "maximised",
            "maximized", "grow", "higher", "push up",
        ),
        "up",
    ),
    **dict.fromkeys(
        (
            "reduce", "reduced", "reducing", "lower", "lowered", "cut", "decrease", "decreased", "minimise", "minimize",
            "minimised", "minimized", "shrink", "push down",
        ),
        "down",
    ),
    **dict.fromkeys((
        "get", "bring", "push", "take", "drive", "reach", "reaches", "achieve", "attain", "hit", "aim for", "aim at", "target",
        "aiming for", "strive for", "go for",
    ), "reach"),
})  # fmt: skip

_NOTHING: Final = Lexicon[bool](dict.fromkeys((
    "please", "kindly", "hey", "hi", "hello", "thanks", "thank you", "cheers", "can we", "can you", "could we", "could you",
    "would you", "can you please", "could you please", "i'd like", "i'd like to", "i would like", "i would like to",
    "we'd like", "we'd like to", "we would like", "we would like to", "i want", "i want to", "we want", "we want to", "we need",
    "we need to", "i need", "i need to", "need", "needs", "need to", "needs to", "needs to be", "need to be", "to be", "be",
    "is to be", "are to be", "has to be", "have to be", "has to", "have to", "should", "should be", "must", "must be", "shall",
    "shall be", "ought to", "ought to be", "will", "it must be", "it should be", "it", "that", "to", "of", "with", "and", "the",
    "a", "an", "our", "my", "is required", "are required", "is needed", "required", "give me", "give us", "our goal is",
    "the goal is", "our target is", "the target is", "goal:", "looking for", "i'm looking for", "we're looking for",
    "we are looking for", "i am looking for", "it is important that", "it's important that", "it is required that",
    "it is necessary that", "it is essential that", "the model's", "the model", "our model", "our model's", "this model",
    "this model's", "my model", "model's", ",", ".", ";", ":", "!", "?", "so that", "we should", "we must",
), True))  # fmt: skip
_NOT_FIRST: Final = Lexicon[bool](dict.fromkeys(("is", "are"), True))
"""A sentence that begins with them is a question."""

_PREDICTS: Final = Lexicon[bool](dict.fromkeys((
    "predict", "predicts", "predicting", "forecast", "forecasts", "forecasting", "anticipate", "anticipating",
), True))  # fmt: skip
_ASKS: Final = Lexicon[bool](dict.fromkeys((
    "tell me", "tell us", "know", "want to know", "we want to know", "i want to know", "find out", "show me", "say",
    "like to know", "we'd like to know", "i'd like to know", "need to know", "we need to know", "identify", "flag",
), True))  # fmt: skip
"""Verbs that ask for a prediction where a target follows."""

_CREATES: Final = Lexicon[bool](dict.fromkeys(
    (
        *(f"{verb}{one}" for verb in ("create", "build", "train", "develop", "produce") for one in (" a", " an", " the", "")),
        "prediction", "predictions", "prediction of", "predictions of", "forecast of", "prediction for", "predictor",
        "predictor of",
    ),
    True,
))  # fmt: skip
_MODELS: Final = Lexicon[bool](dict.fromkeys(
    tuple(
        f"{verb}{article} model {how}"
        for verb in ("", "train ", "build ", "make ", "create ", "fit ", "develop ", "want ", "i want ", "we want ", "need ",
            "i need ", "we need ")
        for article in ("a", "a new", "the", "another")
        for how in ("to predict", "that predicts", "which predicts", "for predicting", "predicting", "for", "to forecast",
            "that forecasts")
    ),
    True,
))  # fmt: skip
_WHETHER: Final = frozenset({"which", "whether", "if", "who"})
_SUBJECTS: Final = frozenset({
    "customer", "customers", "user", "users", "client", "clients", "account", "accounts", "subscriber", "subscribers", "order",
    "orders", "parcel", "parcels", "request", "requests", "transaction", "transactions",
})  # fmt: skip
_WILL: Final = Lexicon[bool](dict.fromkeys((
    "will", "is going to", "are going to", "is likely to", "are likely to", "would", "is about to", "are about to", "might",
), True))  # fmt: skip


def read_metric(reading: Reading, at: int) -> Found[Part] | None:
    """Read which metric."""
    found = METRIC_WORDS.at(reading, at)
    return None if found is None else Found(reading.skip(found.end, _SCORES), found.value)


def read_verb(reading: Reading, at: int) -> Found[Part] | None:
    """Read what is to be done."""
    if reading.is_one_of(at, {"make"}) and METRIC_WORDS.at(reading, reading.skip(at + 1, ARTICLES | {"our"})):
        return Found(at + 1, VerbPart("reach"))
    found = _VERBS.at(reading, at)
    return None if found is None else Found(found.end, VerbPart(found.value))


def read_nothing(reading: Reading, at: int) -> Found[Part] | None:
    """Read words that only hold a sentence together."""
    found = _NOTHING.at(reading, at) or (_NOT_FIRST.at(reading, at) if at > 0 else None)
    return None if found is None else Found(found.end, NothingPart())


class Names:
    """Reads what is predicted, and models by their names.

    Args:
        vocabulary: which targets and models there are.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        plurals = {f"{name}s": column for name, column in vocabulary.targets.items()}
        self._targets = Lexicon({**plurals, **vocabulary.known_targets})
        self._aliases = Lexicon({**plurals, **vocabulary.targets})
        self._own = _model_phrases((vocabulary.model,))
        self._others = _model_phrases(vocabulary.others)
        self._model = words_of(vocabulary.model)

    def read_target(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read what is to be predicted."""
        verb = _MODELS.at(reading, at) or _PREDICTS.at(reading, at) or _CREATES.at(reading, at)
        asks = _ASKS.at(reading, at)
        if verb is None and asks is not None and (reading.is_one_of(asks.end, _WHETHER)):
            verb = asks
        if verb is None:
            return None
        columns: list[str] = []
        end = place = reading.skip(verb.end, _WHETHER)
        while (found := self._target_at(reading, place)) is not None:
            columns.append(found.value)
            end = found.end
            place = reading.skip(end, {",", "and", "or"})
            if place == end:
                break
        return Found(end, TargetPart(tuple(dict.fromkeys(columns))))

    def read_named(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read the name of what can be predicted, apart from the verb."""
        will = _WILL.at(reading, at)
        place = reading.skip(will.end if will else at, ARTICLES)
        found = self._aliases.at(reading, place)
        return None if found is None else Found(found.end, NamedPart(found.value, reading.tokens[place].raw))

    def read_model(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read a model's name, which says nothing more where it is the one that the goal is for."""
        place = reading.skip(at, {"for", "in", "on", "of"} | ARTICLES)
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

    def _target_at(self, reading: Reading, at: int) -> Found[str] | None:
        """Return the column that is meant by `which customers will churn`, or by its name."""
        place = reading.skip(at, _WHETHER | ARTICLES | {"our"})
        plain = self._targets.at(reading, place)
        if plain is not None:
            return plain
        place = reading.skip(place, _SUBJECTS)
        will = _WILL.at(reading, place)
        return self._targets.at(reading, will.end if will else place)


def _model_phrases(names: tuple[str, ...]) -> Lexicon[str]:
    forms = ("{} model", "{} model's", "model {}")
    return Lexicon({form.format(name): name for name in names for form in forms})
