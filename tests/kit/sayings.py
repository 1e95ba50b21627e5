"""What people say of goals, from files beside the tests, and the models that they speak of."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml

from daemon.goals.base import NotUnderstood, understand
from daemon.goals.days import ahead
from daemon.goals.grammar import Grammar
from daemon.goals.metrics import METRICS
from daemon.goals.objective import Objective, read, written
from daemon.goals.vocabulary import Vocabulary
from daemon.settings import GovernedModelSettings

FOLDER = Path(__file__).parents[1] / "unit" / "goals"
TODAY = dt.date(2026, 11, 23)


class Saying(NamedTuple):
    """A sentence, the model it is said of, and what it means; or why it must not be compiled."""

    say: str
    model: str
    means: dict[str, Any]
    because: str


class Outcome(NamedTuple):
    """What became of a file's sentences: compiled as meant, not compiled, compiled otherwise."""

    right: list[Saying]
    silent: list[Saying]
    wrong: list[Saying]


def vocabularies(today: dt.date = TODAY) -> dict[str, Vocabulary]:
    """The models' vocabularies by name."""
    models = [GovernedModelSettings.model_validate(one) for one in yaml.safe_load((FOLDER / "models.yaml").read_text())["models"]]
    names = tuple(model.name for model in models)
    return {model.name: model.vocabulary(today, names) for model in models}


def sayings(file: str, part: str) -> list[Saying]:
    """The sentences of one part of a file."""
    given = yaml.safe_load((FOLDER / file).read_text())
    assert given["today"] == TODAY
    return [Saying(one["say"], one.get("model", "churn"), one.get("means", {}), one.get("because", "")) for one in given[part]]


def answer_to(saying: Saying, known: dict[str, Vocabulary]) -> Objective | NotUnderstood:
    """What the grammar makes of a sentence."""
    return understand(Grammar(), saying.say, known[saying.model])


def meant(saying: Saying) -> dict[str, Any]:
    """What a sentence must be compiled to, in the written form."""
    metric = METRICS.get(saying.means.get("metric", ""))
    direction = {} if metric is None else {"direction": metric.better}
    objective = read({"model": saying.model, **direction, **saying.means})
    span = objective.horizon
    if objective.aim != "hold" or not isinstance(span, str):
        return written(objective)
    count, unit = span.split()  # how long something is to be held is told from today on
    days = ahead(TODAY, int(count), unit.removesuffix("s"))
    return written(msgspec.structs.replace(objective, horizon=days))


def played(file: str) -> Outcome:
    """Compile all sentences of a file."""
    known, outcome = vocabularies(), Outcome([], [], [])
    for saying in (*sayings(file, "compiled"), *sayings(file, "refused")):
        answer = answer_to(saying, known)
        if isinstance(answer, NotUnderstood):
            outcome.silent.append(saying)
        elif saying.means and written(answer) == meant(saying):
            outcome.right.append(saying)
        else:
            outcome.wrong.append(saying)
    return outcome
