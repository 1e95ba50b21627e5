"""Compiles sentences by a grammar of phrases, without anything learnt.

A sentence is covered by parts from left to right, each the longest phrase that begins where the last one ended. Words that no
phrase takes are leftovers, and with a single leftover nothing is compiled: it may have meant something. Words beside the goal
that can't change it are laid aside, and shown with what was understood. The parts are put together whatever their order, and what
they say is checked against what is declared.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final, NamedTuple

from daemon.goals.aims import read_verb
from daemon.goals.asides import Asides
from daemon.goals.assembly import Assembly
from daemon.goals.base import NotUnderstood, checked
from daemon.goals.belonging import unsure
from daemon.goals.bounds import read_bound
from daemon.goals.changes import read_change
from daemon.goals.checks import MOST_FINDINGS, Code, Finding
from daemon.goals.cohorts import Cohorts
from daemon.goals.costs import read_cost
from daemon.goals.denials import read_denial
from daemon.goals.described import Described
from daemon.goals.fillers import read_nothing, read_question
from daemon.goals.form import form_of
from daemon.goals.horizons import read_horizon
from daemon.goals.items import Known
from daemon.goals.movements import read_moved_bound
from daemon.goals.naming import METRIC_WORDS, read_metric
from daemon.goals.objective import Objective, written
from daemon.goals.parts import AsidePart, CohortPart, NothingPart, Part, Trouble, WishPart
from daemon.goals.reading import Found, Reader, Reading, remembered
from daemon.goals.spans import read_over
from daemon.goals.targets import Names
from daemon.goals.tokens import Token, tokens_of
from daemon.goals.trades import read_trade
from daemon.goals.vocabulary import Vocabulary
from daemon.goals.words import NEGATIONS

_LEFT: Final[dict[Code, str]] = {
    "unknown_words": "means nothing here: no metric, no column, value, slice or cohort that is declared, no phrase of a goal",
    "negation": "turns something around, and it isn't clear what; say what is wanted instead",
}


class _Covered(NamedTuple):
    """A sentence's parts, the tokens that are in none, and the words that were laid aside."""

    parts: tuple[Part, ...]
    left: tuple[tuple[int, Token], ...]
    aside: tuple[str, ...]


class Grammar:
    """The compiler that is always there."""

    def compile(self, sentence: str, vocabulary: Vocabulary) -> Objective | NotUnderstood:
        """Say what a sentence means, or why that can't be said; see `daemon.goals.base.Compiler`."""
        tokens = tokens_of(sentence)
        if isinstance(tokens, Finding):
            return NotUnderstood((tokens,), form_of(vocabulary, {}))
        covered = _cover(Reading(tokens, vocabulary), _readers(vocabulary))
        assembly = Assembly(covered.parts)
        troubles = [Finding(part.code, part.text) for part in covered.parts if isinstance(part, Trouble)]
        findings = (*_leftovers(covered.left), *troubles, *assembly.findings)
        if findings:
            return NotUnderstood(
                tuple(dict.fromkeys(findings))[:MOST_FINDINGS], form_of(vocabulary, _plain(assembly, vocabulary))
            )
        return checked(Objective(model=vocabulary.model, **assembly.said), vocabulary)

    def left_aside(self, sentence: str, vocabulary: Vocabulary) -> tuple[str, ...]:
        """Return the words that were laid aside; see `daemon.goals.base.Compiler`."""
        tokens = tokens_of(sentence)
        return () if isinstance(tokens, Finding) else _cover(Reading(tokens, vocabulary), _readers(vocabulary)).aside


def _readers(vocabulary: Vocabulary) -> tuple[Reader, ...]:
    names = Names(vocabulary)
    cohorts = Cohorts(Known(vocabulary, METRIC_WORDS))
    content: tuple[Reader, ...] = (
        Described(names.aliases).read, names.read_target, names.read_named, names.read_model, read_cost, read_over, read_horizon,
        read_moved_bound, read_change, read_trade, read_denial, read_bound, read_metric, read_verb, cohorts.read,
    )  # fmt: skip
    content = tuple(map(remembered, content))
    return (*content, read_question, read_nothing, Asides(content, cohorts.item_at).read)


def _cover(reading: Reading, readers: Sequence[Reader]) -> _Covered:
    parts: list[Part] = []
    left: list[tuple[int, Token]] = []
    aside: list[str] = []
    at = 0
    while at < len(reading.tokens):
        found = _longest(reading, at, readers)
        if found is None:
            left.append((at, reading.tokens[at]))
            at += 1
        else:
            part = found.value
            if isinstance(part, AsidePart):
                aside.append(_said(reading, at, found.end))
                part = WishPart() if part.is_wish else NothingPart()
            parts.append(unsure(reading, at, parts, part) or part)
            at = found.end
    return _Covered(tuple(parts), tuple(left), tuple(aside))


def _longest(reading: Reading, at: int, readers: Sequence[Reader]) -> Found[Part] | None:
    found = [one for one in (reader(reading, at) for reader in readers) if one is not None and one.end > at]
    end = max((one.end for one in found), default=at)
    longest = [one for one in found if one.end == end]
    cohort = next((one for one in longest if isinstance(one.value, CohortPart)), None)
    is_plain = all(isinstance(one.value, CohortPart | NothingPart | AsidePart) for one in longest)
    if cohort is not None and is_plain and reading.tokens[at].raw.isupper():  # IT, which isn't `it`
        return cohort
    if len(longest) > 1 and cohort is not None:
        said = _said(reading, at, end)
        text = f"{said!r} names requests, and is a phrase of goals too; say the column with it, or fill in the YAML"
        return Found(end, Trouble("ambiguous_cohort", text))
    return longest[0] if longest else None


def _said(reading: Reading, at: int, end: int) -> str:
    return " ".join(token.raw for token in reading.tokens[at:end])


def _leftovers(left: Sequence[tuple[int, Token]]) -> list[Finding]:
    """Say of each stretch of words that belong to nothing why."""
    findings = [Finding(*fault) for _, token in left if (fault := _fault(token)) is not None]
    words = [(place - index, token) for index, (place, token) in enumerate(left) if _fault(token) is None]
    for (_, code), stretch in groupby(words, key=lambda one: (one[0], _code(one[1]))):
        said = " ".join(token.raw for _, token in stretch)
        findings.append(Finding(code, f"{said!r} {_LEFT[code]}"))
    return findings


def _code(token: Token) -> Code:
    return "negation" if token.text in NEGATIONS and token.kind in {"word", "sign"} else "unknown_words"


def _fault(token: Token) -> tuple[Code, str] | None:
    if token.kind == "number" and token.raw.startswith("-") and not token.fault:
        return "bad_number", f"{token.raw}: no metric is negative"
    if not token.fault:
        return None
    return "ambiguous_time" if token.kind == "day" else "bad_number", f"{token.raw}: {token.fault}"


def _plain(assembly: Assembly, vocabulary: Vocabulary) -> dict[str, object]:
    """Return what was understood as a form has it."""
    return written(Objective(**{"model": vocabulary.model, "aim": "hold", **assembly.said}))
