"""A YAML document with the line of every value, and overrides from the environment laid over it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from streams.contracts.errors import ConfigError

PREFIX = "DRIFTWAKE__"
Place = tuple[str | int, ...]

_INDEX = re.compile("[0-9]{1,6}")
_LARGEST_BYTES = 1_000_000
_MOST_VALUES = 50_000
_DEEPEST = 30


class Document(NamedTuple):
    """What was read: the values, where each came from (`file:line` or a variable), and what was wrong."""

    values: dict[str, Any]
    origins: dict[Place, str]
    findings: list[str]


class _Line(NamedTuple):
    place: Place
    line: int
    is_double: bool


def read_document(file: Path) -> Document:
    """Read a YAML file of at most 1 MB.

    Raises:
        ConfigError: it can't be read, isn't YAML, or isn't a mapping.
    """
    lines, values = _parse(file, _read_text(file))
    document = Document({}, {}, [])
    for place, line, is_double in lines:
        if is_double:
            document.findings.append(f"{path_text(place)}: is given twice; keep one of them ({file.name}:{line})")
        document.origins[place] = f"{file.name}:{line}"
    if values is None:
        return document
    if not isinstance(values, dict):
        raise ConfigError([f"{file}: must be a mapping of settings, not {type(values).__name__}; see `driftwake config schema`"])
    return document._replace(values=values)


def apply_environment(document: Document, environment: Mapping[str, str]) -> None:
    """Lay `DRIFTWAKE__A__B=value` over the document in place; values are YAML, list items go by their index."""
    for name in sorted(name for name in environment if name.startswith(PREFIX)):
        place = tuple(int(part) if _INDEX.fullmatch(part) else part.lower() for part in name.removeprefix(PREFIX).split("__"))
        try:
            _set(document.values, place, yaml.safe_load(environment[name]))
        except (yaml.YAMLError, ValueError, RecursionError):
            document.findings.append(f"{path_text(place)}: the environment variable {name} isn't a YAML value; quote it")
        except LookupError as error:
            document.findings.append(f"{path_text(place)}: the environment variable {name} leads nowhere: {error.args[0]}")
        else:
            for below in [known for known in document.origins if known[: len(place)] == place]:
                del document.origins[below]
            document.origins[place] = f"environment {name}"


def path_text(place: Place) -> str:
    """Write a place the way people say it: `models[0].schema.columns[2].kind`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".") or "config"


def _read_text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            data = stream.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise ConfigError([f"{file}: can't be read: {error.strerror}; give the path of a YAML file with --config"]) from error
    if len(data) > _LARGEST_BYTES:
        raise ConfigError([f"{file}: is larger than {_LARGEST_BYTES} bytes; a config is smaller than that"])
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ConfigError([f"{file}: isn't UTF-8 text (byte {error.start}); save it as UTF-8"]) from error


def _parse(file: Path, text: str) -> tuple[list[_Line], object]:
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        # The lines are listed first: that bounds size and depth, aliases included, before anything is built.
        lines = list(_walk(file, node)) if node is not None else []
        return lines, loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        raise ConfigError([f"{file}{where}: isn't YAML: {error.problem or error.context}"]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError([f"{file}: isn't YAML: {' '.join(str(error).split())}"]) from error


def _walk(file: Path, root: yaml.Node) -> Iterator[_Line]:
    pending: list[tuple[yaml.Node, Place]] = [(root, ())]
    count = 0
    while pending:
        node, place = pending.pop()
        seen: set[str | int] = set()
        for key, line, child in _children(node):
            count += 1
            if count > _MOST_VALUES or len(place) >= _DEEPEST:
                raise ConfigError([f"{file}:{line}: more than {_MOST_VALUES} values or {_DEEPEST} levels; make it smaller"])
            yield _Line((*place, key), line, key in seen)
            seen.add(key)
            pending.append((child, (*place, key)))


def _children(node: yaml.Node) -> Iterator[tuple[str | int, int, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            yield str(key.value), key.start_mark.line + 1, child
    elif isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            yield index, child.start_mark.line + 1, child


def _set(values: dict[str, Any], place: Place, value: Any) -> None:
    target: Any = values
    for depth, part in enumerate(place):
        is_last = depth == len(place) - 1
        if isinstance(target, dict) and isinstance(part, str) and part:
            target.setdefault(part, {})
        elif not (isinstance(target, list) and isinstance(part, int) and part < len(target)):
            raise LookupError(f"{path_text(place[:depth])} has no item {part!r}")
        if is_last:
            target[part] = value
        target = target[part]
