"""What a compiler of goals is, and what becomes of its answer: whoever compiled it, the same checks decide."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import msgspec

from daemon.goals.checks import Finding, objections
from daemon.goals.form import form_of
from daemon.goals.objective import LONGEST_VALUE, MOST_CONDITIONS, MOST_VALUES, Objective, read, written
from daemon.goals.vocabulary import Vocabulary
from streams.contracts.errors import ContractError


class NotUnderstood(NamedTuple):
    """Why a sentence isn't compiled. `form` is a YAML to fill in instead; it has what was understood already."""

    findings: tuple[Finding, ...]
    form: str


class Compiler(Protocol):
    """Compiles sentences. Called once for a sentence; what it returns is checked, shown to a person, and approved or not."""

    def compile(self, sentence: str, vocabulary: Vocabulary) -> Objective | NotUnderstood:
        """Say what a sentence means, or why that can't be said.

        It never guesses: a word that could mean something and isn't part of the objective is a reason not to compile. It raises
        nothing, whatever the sentence, which anybody may have written.
        """
        ...

    def left_aside(self, sentence: str, vocabulary: Vocabulary) -> tuple[str, ...]:
        """Return the words of a sentence that aren't of its goal, who asks for it and why; a person is shown them with it."""
        ...


def understand(compiler: Compiler, sentence: str, vocabulary: Vocabulary) -> Objective | NotUnderstood:
    """Compile a sentence and check the answer against what is declared."""
    answer = compiler.compile(sentence, vocabulary)
    return answer if isinstance(answer, NotUnderstood) else checked(answer, vocabulary)


def checked(objective: Objective, vocabulary: Vocabulary) -> Objective | NotUnderstood:
    """Return an objective in its canonical form, or why it is none for this model."""
    findings = objections(objective, vocabulary)
    try:
        canonical = read(written(objective))
    except ContractError as error:
        findings = (*findings, Finding("form", str(error)))
    return NotUnderstood(findings, form_of(vocabulary, written(_bounded(objective)))) if findings else canonical


def _bounded(objective: Objective) -> Objective:
    """Leave a cohort that is too large out of the form that is shown."""
    fits = len(objective.cohort) <= MOST_CONDITIONS and all(
        len(condition.values) <= MOST_VALUES and all(len(name) <= LONGEST_VALUE for name in (condition.column, *condition.values))
        for condition in objective.cohort
    )
    return objective if fits else msgspec.structs.replace(objective, cohort=())
