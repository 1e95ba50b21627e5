"""Plug-in families: a kind is a module of the family's folder, or an entry point of another distribution.

The kind in the config is the module's name, and only that module is imported. A family is a package; outsiders add kinds
in the entry-point group `driftwake.<last part of the package's name>`, for instance `driftwake.detectors`.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import importlib.resources
from types import ModuleType

from streams.contracts.errors import PluginError

_NOT_KINDS = frozenset({"__init__", "base", "checks", "errors"})


def group_of(family: str) -> str:
    """Name the entry-point group of a family, given its package, for instance `streams.detectors`."""
    return f"driftwake.{family.rpartition('.')[2]}"


def kinds_of(family: str) -> tuple[str, ...]:
    """List the kinds of a family in alphabetical order, importing none of them.

    Raises:
        PluginError: two places give the same kind.
    """
    own = _own_kinds(family)
    foreign = [entry.name for entry in importlib.metadata.entry_points(group=group_of(family))]
    found = sorted([*own, *foreign])
    doubles = sorted({kind for kind in found if found.count(kind) > 1})
    if doubles:
        raise PluginError(f"{family}: {', '.join(doubles)} is given more than once; uninstall or rename one of them")
    return tuple(found)


def load_kind(family: str, kind: str) -> ModuleType:
    """Import the module of one kind.

    Raises:
        PluginError: the family has no such kind, or a library that the kind needs isn't installed.
    """
    check_kind(family, kind)
    try:
        if kind in _own_kinds(family):
            return importlib.import_module(f"{family}.{kind}")
        (entry,) = importlib.metadata.entry_points(group=group_of(family), name=kind)
        module = entry.load()
    except ModuleNotFoundError as error:
        raise PluginError(f"{family}: {kind} needs the library {error.name!r}; install it, or choose another kind") from error
    if not isinstance(module, ModuleType):
        raise PluginError(f"{family}: the entry point {kind} must name a module, not {type(module).__name__}")
    return module


def check_kind(family: str, kind: str) -> str:
    """Return `kind` if the family has it, without importing it.

    Raises:
        PluginError: it hasn't; the message lists the kinds.
    """
    known = kinds_of(family)
    if kind in known:
        return kind
    close = difflib.get_close_matches(kind, known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise PluginError(f"no kind {kind!r} in {family}; {hint}There are: {', '.join(known) or 'none'}")


def _own_kinds(family: str) -> list[str]:
    names = (item.name for item in importlib.resources.files(family).iterdir())
    kinds = (name.removesuffix(".py") for name in names if name.endswith(".py"))
    return sorted(kind for kind in kinds if kind not in _NOT_KINDS and not kind.startswith("_"))
