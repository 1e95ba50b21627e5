"""What a compiler of goals is, and what becomes of its answer: whoever compiled it, the same checks decide."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from daemon.goals.checks import Finding, objections
from daemon.goals.form import form_of
from daemon.goals.objective import Objective, read, written
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
    return NotUnderstood(findings, form_of(vocabulary, written(objective))) if findings else canonical
