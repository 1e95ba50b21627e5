"""What every skill must satisfy; run over each one found, importable for skills of other distributions.

Each check takes an `Example`: a skill's name, arguments that work, and the folders that a run may change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from skills._kit.errors import SkillError
from skills._kit.skill import Skill, carry_out, encode_answer, find


class SkillCheckError(AssertionError):
    """A skill breaks the family's contract."""


class Example(NamedTuple):
    """Arguments for one run.

    `arguments` are JSON; `watched` maps what a run might write (`lake`, `registry`, or anything else) to its folder;
    `varying` names result fields that measure time or name places, and so differ between runs.
    """

    name: str
    arguments: Mapping[str, Any]
    watched: Mapping[str, Path]
    varying: Sequence[str] = ()


def check_declares(example: Example, work: Path) -> None:
    """The module gives typed input and output, a need and a summary."""
    del work
    spec = find(example.name).SPEC
    _demand(issubclass(spec.input, msgspec.Struct), "it gives another type than it declares")
    _demand(issubclass(spec.output, msgspec.Struct), "it gives another type than it declares")
    _demand(spec.input.__struct_config__.forbid_unknown_fields, "its Input must forbid unknown fields")
    _demand(spec.need.seconds > 0 and spec.need.memory_mb > 0, "it must say what it needs")
    _demand(bool(spec.summary), "it must say what it does")


def check_answers_in_its_type(example: Example, work: Path) -> None:
    """A run gives the declared output, which survives JSON."""
    skill = find(example.name)
    result = _run(skill, example.arguments, work)
    _demand(isinstance(result, skill.SPEC.output), "it gives another type than it declares")
    _demand(bool(msgspec.json.decode(encode_answer(result, None))["ok"]), "its answer must survive JSON")


def check_repeats(example: Example, work: Path) -> None:
    """Same input, same result; and a second run in a used work folder starts cleanly."""
    skill = find(example.name)
    answers = [_settled(_run(skill, example.arguments, work), example.varying) for _ in range(2)]
    _demand(answers[0] == answers[1], "the same input gave two answers")


def check_refuses_with_skill_errors(example: Example, work: Path) -> None:
    """Arguments that have no meaning give a `SkillError`, never another exception."""
    skill = find(example.name)
    blocked = work / "blocked"
    blocked.write_bytes(b"a file, so nothing can lie below it")
    nowhere = blocked / "below"
    wrong: list[Any] = [{}, [], {**example.arguments, "surprise": 1}]
    wrong += [{**example.arguments, name: _other(value)} for name, value in example.arguments.items()]
    wrong += [{**example.arguments, name: str(nowhere)} for name, value in example.arguments.items() if isinstance(value, str)]
    refused = 0
    for arguments in wrong:
        try:
            carry_out(skill, msgspec.json.encode(arguments), work)
        except SkillError as error:
            refused += bool(error.kind and str(error))
    _demand(refused >= 3, "it took even no arguments and unknown ones")


def check_writes_only_where_it_may(example: Example, work: Path) -> None:
    """A run changes its work folder and what `changes` names, nothing else."""
    skill = find(example.name)
    guarded = {name: folder for name, folder in example.watched.items() if name not in skill.SPEC.changes}
    before = {name: _state(folder) for name, folder in guarded.items()}
    _run(skill, example.arguments, work)
    _demand({name: _state(folder) for name, folder in guarded.items()} == before, "it wrote what `changes` doesn't name")


CHECKS: tuple[Callable[[Example, Path], None], ...] = (
    check_declares,
    check_answers_in_its_type,
    check_repeats,
    check_refuses_with_skill_errors,
    check_writes_only_where_it_may,
)


def _demand(claim: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as the assertion it is
    if not claim:
        raise SkillCheckError(otherwise)


def _run(skill: Skill, arguments: Mapping[str, Any], work: Path) -> msgspec.Struct:
    return carry_out(skill, msgspec.json.encode(arguments), work)


def _settled(result: msgspec.Struct, varying: Sequence[str]) -> dict[str, Any]:
    values = msgspec.json.decode(encode_answer(result, None))["result"]
    return {name: value for name, value in values.items() if name not in varying}


def _other(value: Any) -> Any:
    """Return a value of another type."""
    return {"unexpected": []} if isinstance(value, str | int | float | list) or value is None else 7


def _state(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
