"""`driftwake ask` and `goals`: compile what somebody wants, show it back, and send it as an order like any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from daemon.api.commands import Asked
from daemon.commands.errors import BadInputError
from daemon.commands.looking import known_model
from daemon.commands.screen import Screen, short, when
from daemon.commands.standing import GoalStory, show_standing
from daemon.goals.base import Compiler, NotUnderstood, checked, understand
from daemon.goals.checks import Finding
from daemon.goals.form import form_of
from daemon.goals.grammar import Grammar
from daemon.goals.objective import Objective, read, written, yaml_text
from daemon.goals.telling import tell
from daemon.goals.tokens import MOST_CHARACTERS
from daemon.goals.vocabulary import Vocabulary
from daemon.ledger.records import Goal, GoalState
from daemon.settings import DaemonSettings
from streams.contracts.errors import ContractError
from streams.runtime.clock import SystemClock, WallClock
from streams.runtime.documents import read_document
from streams.runtime.text import cleaned

_LONGEST_ASIDE = 200


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks for: a sentence, or a YAML file that was filled in; of which model, None where the config has one."""

    sentence: str | None = None
    file: Path | None = None
    model: str | None = None


def compiled(
    settings: DaemonSettings, wish: Wish, *, wall: WallClock | None = None, compiler: Compiler | None = None
) -> Objective | NotUnderstood:
    """Compile a wish, without sending it anywhere. Days are those of the wall clock, in UTC.

    Raises:
        BadInputError: nothing is asked for, or twice, or of a model that isn't there.
        ConfigError: the file can't be read.
    """
    if (wish.sentence is None) == (wish.file is None):
        raise BadInputError("say what you want in words, or give --yaml-file with a form that you filled in")
    values = read_document(wish.file).values if wish.file is not None else {}
    vocabulary = _vocabulary(settings, wish.model, values, wall or SystemClock())
    if wish.sentence is not None:
        return understand(compiler or Grammar(), wish.sentence, vocabulary)
    return _filled_in(values, vocabulary)


def left_aside(settings: DaemonSettings, wish: Wish, *, compiler: Compiler | None = None) -> str:
    """Say which words of a wish that was compiled aren't of its goal, nothing where there are none. They are a stranger's."""
    if wish.sentence is None:
        return ""
    words = (compiler or Grammar()).left_aside(wish.sentence, _vocabulary(settings, wish.model, {}, SystemClock()))
    return cleaned("left aside: " + "; ".join(map(repr, words)), _LONGEST_ASIDE) if words else ""


def proposal(objective: Objective, sentence: str, aside: str = "") -> Asked:
    """Order that an objective be kept until somebody approves it, who reads behind the sentence what of it was left aside."""
    behind = f" ({aside})" if aside else ""
    said = cleaned(sentence, MOST_CHARACTERS - len(behind)) + behind
    arguments = {"objective": written(objective), "digest": objective.digest, "sentence": said}
    return Asked(kind="propose_goal", model=objective.model, arguments=arguments)


def about(known: Sequence[Goal], digest: str, kind: Literal["approve_goal", "retire_goal"], *states: GoalState) -> Asked:
    """Order that a goal be approved or retired; `digest` is the beginning of its digest.

    Raises:
        BadInputError: no goal in one of these states is meant, or several are.
    """
    goal = find(known, digest, *states)
    return Asked(kind=kind, model=str(goal.model), arguments={"digest": goal.digest})


def find(known: Sequence[Goal], digest: str, *states: GoalState) -> Goal:
    """Find a goal by the beginning of its digest; of the same goal proposed again the newest.

    Raises:
        BadInputError: none or several are meant.
    """
    there = [goal for goal in known if not states or goal.state in states]
    found = {goal.digest: goal for goal in there if digest and goal.digest.startswith(digest)}
    if len(found) != 1:
        named = ", ".join(f"{short(goal.digest)} ({goal.state})" for goal in there[-5:]) or "none"
        raise BadInputError(f"{digest!r} names {len(found)} goals; there are: {named}")
    return next(iter(found.values()))


def told(objective: Objective, aside: str = "") -> dict[str, Any]:
    """Return what was understood, for other programs."""
    words = f"{tell(objective)} {aside}".strip()
    return {"understood": True, "objective": written(objective), "digest": objective.digest, "in_words": words}


def told_not(answer: NotUnderstood) -> dict[str, Any]:
    """Return why nothing was understood, for other programs."""
    return {"understood": False, "findings": [finding._asdict() for finding in answer.findings], "form": answer.form}


def show(objective: Objective, screen: Screen, aside: str = "") -> None:
    """Show what was understood: in words, as YAML, and the digest to approve; and what was left aside."""
    screen.line(tell(objective))
    if aside:
        screen.line(aside, "yellow")
    screen.title("As YAML")
    for line in yaml_text(objective).splitlines():
        screen.line(line)
    screen.title(f"Digest {objective.digest}")


def show_not(answer: NotUnderstood, screen: Screen) -> None:
    """Show why nothing was understood, and the form to fill in."""
    screen.line("not compiled, because:", "red")
    for finding in answer.findings:
        screen.line(f"  {finding.code}: {finding.text}", "red")
    screen.title("Say it otherwise, or fill this in and give it with --yaml-file")
    for line in answer.form.splitlines():
        screen.line(line)


def show_goal(goal: GoalStory, screen: Screen) -> None:
    """Show one goal: who said what and when, what it was compiled to, and how it stands."""
    screen.title(f"{goal.id}  {goal.state}")
    if goal.sentence:
        screen.line(f"said: {goal.sentence}")
    steps = (
        ("proposed", goal.proposed_by, goal.proposed_ms), ("approved", goal.approved_by, goal.approved_ms),
        ("retired", goal.retired_by, goal.retired_ms),
    )  # fmt: skip
    for step, by, time_ms in steps:
        if time_ms is not None:
            screen.line(f"{step} by {by} at {when(time_ms)}")
    show(read(goal.objective), screen)
    show_standing(goal, screen)


def _vocabulary(settings: DaemonSettings, model: str | None, values: Mapping[str, Any], wall: WallClock) -> Vocabulary:
    names = tuple(one.name for one in settings.models)
    wanted = model or str(values.get("model") or (names[0] if len(names) == 1 else ""))
    if not wanted:
        raise BadInputError(f"--model: name one of {', '.join(names)}")
    known_model(settings, wanted)
    chosen = next(one for one in settings.models if one.name == wanted)
    return chosen.vocabulary(wall.now().date(), names)


def _filled_in(values: Mapping[str, Any], vocabulary: Vocabulary) -> Objective | NotUnderstood:
    try:
        return checked(read({"model": vocabulary.model, **values}), vocabulary)
    except ContractError as error:
        return NotUnderstood((Finding("form", str(error)),), form_of(vocabulary, {}))
