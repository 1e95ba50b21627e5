"""What a formula is once it is read: a tree of numbers, columns, parts of the time, and functions of those."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from streams.contracts.schema import Kind

TimePartName = Literal["hour", "weekday", "day", "month"]

FUNCTIONS = {"log": 1, "log1p": 1, "abs": 1, "sqrt": 1, "min": 2, "max": 2, "clip": 3, "if_missing": 2}
TIME_FUNCTIONS = get_args(TimePartName)
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
TRUTHS = (*COMPARISONS, "and", "or", "not", "is_missing")
ALIKE = frozenset({"+", "-", "min", "max", "clip", "if_missing"})
"""Functions whose values are of one unit, which is theirs."""


class Number(msgspec.Struct, frozen=True, tag=True):
    """A constant."""

    value: float


class Name(msgspec.Struct, frozen=True, tag=True):
    """A column or a window; of kind `category` only below `is_missing` and in `Member`."""

    name: str
    kind: Kind = "number"


class TimePart(msgspec.Struct, frozen=True, tag=True):
    """A part of the row's event time."""

    part: TimePartName


class Member(msgspec.Struct, frozen=True, tag=True):
    """Whether a category is one of some values."""

    name: str
    values: tuple[str, ...]


class Call(msgspec.Struct, frozen=True, tag=True):
    """A function or operator (`neg`, `+`, `<`, `and`, ...) of other trees."""

    function: str
    arguments: tuple[Tree, ...]


Tree = Number | Name | TimePart | Member | Call


def is_truth(tree: Tree) -> bool:
    """Say whether a tree is true or false, rather than any number."""
    return isinstance(tree, Member) or (isinstance(tree, Call) and tree.function in TRUTHS)


def names_in(tree: Tree) -> set[str]:
    """Return the columns and windows that a tree reads."""
    if isinstance(tree, Name | Member):
        return {tree.name}
    if isinstance(tree, Call):
        return set[str]().union(*(names_in(argument) for argument in tree.arguments))
    return set()


def reads_time(tree: Tree) -> bool:
    """Say whether a tree reads the event time."""
    if isinstance(tree, Call):
        return any(reads_time(argument) for argument in tree.arguments)
    return isinstance(tree, TimePart)
