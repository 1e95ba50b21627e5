"""What a skill is, and the registry: the skill `verb_object` is the module `skills/verb_object.py`.

The module gives `SPEC`, an instance of `Spec`, and a function `run(request, work)`. A skill runs in a child process of its
own (`python -m skills NAME`), so it may be slow, use much memory or die without hurting the daemon.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec
import numpy as np

from skills._kit.errors import InputError, MemoryLimitError, SkillCrashError, SkillError
from streams.contracts.errors import BundleRefused, ContractError, LakeError, PluginError, place_of
from streams.runtime.plugins import kinds_of, load_kind

In = TypeVar("In", bound=msgspec.Struct)
Out = TypeVar("Out", bound=msgspec.Struct)

FAMILY = "skills"


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """What a run takes at most under ordinary load; the daemon reserves it from the budget and kills a run that takes more."""

    seconds: int
    memory_mb: int
    gpu: Literal["no", "optional"] = "no"


class Spec(msgspec.Struct, Generic[In, Out], frozen=True, kw_only=True):
    """A skill's contract.

    `changes` names what a run may write besides its work folder (`registry` or `lake`); a skill that changes nothing
    may be repeated freely, the others are idempotent for the same input.
    """

    summary: str
    input: type[In]
    output: type[Out]
    need: Need
    changes: tuple[Literal["registry", "lake"], ...] = ()


class Skill(Protocol):
    """A skill's module. Called by `python -m skills`, which the daemon's executing stage starts."""

    SPEC: Spec[Any, Any]
    run: Callable[[Any, Path], Any]


def names() -> tuple[str, ...]:
    """Return the names of all skills, those of other distributions included; nothing is imported."""
    return kinds_of(FAMILY)


def find(name: str) -> Skill:
    """Import the one skill called `name`.

    Raises:
        InputError: there is none, or a library that it needs isn't installed.
    """
    try:
        return load_kind(FAMILY, name)
    except PluginError as error:
        raise InputError(str(error)) from error


def carry_out(skill: Skill, arguments: bytes, work: Path) -> msgspec.Struct:
    """Decode the arguments, run the skill in `work` and return its result.

    Raises:
        SkillError: whatever went wrong, with its kind.
    """
    try:
        request = msgspec.json.decode(arguments, type=skill.SPEC.input)
    except (msgspec.MsgspecError, ContractError) as error:
        raise InputError(str(error)) from error
    work.mkdir(parents=True, exist_ok=True)
    try:
        result: msgspec.Struct = skill.run(request, work)
    except SkillError:
        raise
    except Exception as error:
        raise translated(error) from error
    return result


def translated(error: Exception) -> SkillError:
    """Return the skill error that says the same as `error`; of one that nobody foresaw only its class and place."""
    said = str(error)
    if isinstance(error, MemoryError) or "out of memory" in said.lower() or "bad_alloc" in said:
        return MemoryLimitError(place_of(error))
    known: tuple[tuple[type[Exception], str], ...] = (
        (BundleRefused, "bad_bundle"),
        (LakeError, "lake"),
        (ContractError, "bad_input"),
    )
    kind = next((kind for cause, kind in known if isinstance(error, cause)), SkillCrashError.kind)
    text = place_of(error) if kind == SkillCrashError.kind else f"{type(error).__name__}: {said}"[:2_000]
    return next(type_ for type_ in SkillError.__subclasses__() if type_.kind == kind)(text)


def encode_answer(result: msgspec.Struct | None, error: SkillError | None) -> bytes:
    """Encode the answer that `python -m skills` writes. NaN and infinities become null."""
    if error is not None:
        return msgspec.json.encode({"ok": False, "error": {"kind": error.kind, "message": str(error)}})
    return msgspec.json.encode({"ok": True, "result": result}, enc_hook=_plain)


def _plain(value: Any) -> Any:
    """Turn a number of numpy's into Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"{type(value).__name__} can't be written as JSON")
