"""Denials put to what they deny: each `don't let` turns the bound or change behind it, each `is unacceptable` the one before it.

What needs a denial and has none makes no goal, nor does a denial that has nothing to turn, or what is denied twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from daemon.goals.checks import Finding
from daemon.goals.parts import BoundPart, ChangePart, DenialPart, Part, QuestionPart, VerbPart, WishPart

_NOT_DENIED = "it isn't clear what the negation turns around; say what is wanted, `at least 90 %` for instance"


class Turned(NamedTuple):
    """Parts without denials, and why some of them make no goal."""

    parts: tuple[Part, ...]
    findings: tuple[Finding, ...]


def turned(parts: Sequence[Part]) -> Turned:
    """Turn what is denied."""
    denied = _denied(parts)
    is_wished = any(isinstance(part, WishPart) for part in parts) and not any(isinstance(part, QuestionPart) for part in parts)
    findings = [] if denied is not None else [Finding("negation", _NOT_DENIED)]
    kept: list[Part] = []
    for place, part in enumerate(parts):
        if isinstance(part, DenialPart):
            continue
        if not isinstance(part, BoundPart | ChangePart):
            kept.append(part)
            continue
        answer = _turned(part, is_denied=place in (denied or ()), is_wished=is_wished)
        if answer is None:
            findings.append(Finding("negation", _NOT_DENIED))
        else:
            kept.append(answer)
    return Turned(tuple(kept), tuple(dict.fromkeys(findings)))


def _denied(parts: Sequence[Part]) -> frozenset[int] | None:
    """Return the places of what is denied, None where a denial has nothing to deny, or a verb stands between."""
    denied: list[int] = []
    last: int | None = None
    is_open = False
    for place, part in enumerate(parts):
        if isinstance(part, BoundPart | ChangePart):
            if is_open:
                denied.append(place)
            last, is_open = place, False
        elif isinstance(part, DenialPart) and part.is_behind and last is not None and not is_open:
            denied.append(last)
        elif isinstance(part, DenialPart | VerbPart) and (is_open or (isinstance(part, DenialPart) and part.is_behind)):
            return None
        elif isinstance(part, DenialPart):
            is_open = True
    return None if is_open or len(set(denied)) != len(denied) else frozenset(denied)


def _turned(part: BoundPart | ChangePart, *, is_denied: bool, is_wished: bool) -> BoundPart | ChangePart | None:
    if isinstance(part, ChangePart):
        return part._replace(needs_denial=False) if part.needs_denial == is_denied else None
    side = part.denied if is_denied else part.side or (part.wished if is_wished else None)
    return None if side is None else part._replace(side=side, denied=None, is_told=part.is_told and not is_denied)
