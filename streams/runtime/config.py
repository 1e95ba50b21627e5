"""Loading a config: one YAML file, overrides from the environment, all findings at once.

This is the only file that reads the environment. `DRIFTWAKE__MODELS__0__PARTITIONS=4` overrides `models[0].partitions`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from streams.contracts.errors import ConfigError, PluginError
from streams.runtime.documents import Document, Place, apply_environment, path_text, read_document
from streams.runtime.findings import findings_of
from streams.runtime.plugins import check_kind
from streams.runtime.text import masked

DEFAULT = "default"


class Section(BaseModel):
    """Base of every part of the config: immutable, no unknown keys, reasons in attribute docstrings."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True)


AnySection = TypeVar("AnySection", bound=BaseModel)


class Loaded(NamedTuple, Generic[AnySection]):
    """A checked config and where each of its values came from."""

    settings: AnySection
    origins: dict[Place, str]


class Setting(NamedTuple):
    """One line of `driftwake config explain`."""

    path: str
    value: str
    origin: str
    reason: str


def environment() -> dict[str, str]:
    """Copy the environment, for child processes and for libraries that look in it."""
    return dict(os.environ)


def load(
    section: type[AnySection], file: Path | None, variables: Mapping[str, str] | None = None, *, only_part: bool = False
) -> Loaded[AnySection]:
    """Read, override and check a config.

    Args:
        section: the pydantic model of the config.
        file: a YAML file; None stands for an empty one.
        variables: the environment; None stands for the process's own.
        only_part: leave out what `section` doesn't know, for a process that needs its part of a config that another process
            has checked as a whole.

    Raises:
        ConfigError: with every finding, each with its path, its place and what to do.
    """
    document = read_document(file) if file is not None else Document({}, {}, [])
    apply_environment(document, os.environ if variables is None else variables)
    try:
        settings = _checked(section, document.values, only_part=only_part)
    except ValidationError as error:
        raise ConfigError([*document.findings, *findings_of(section, error, document.origins)]) from None
    if document.findings:
        raise ConfigError(document.findings)
    return Loaded(settings, document.origins)


def _checked(section: type[AnySection], values: dict[str, Any], *, only_part: bool) -> AnySection:
    try:
        return section.model_validate(values)
    except ValidationError as error:
        unknown = [details["loc"] for details in error.errors() if details["type"] == "extra_forbidden"]
        if not only_part or not unknown:
            raise
    for place in unknown:
        above: Any = values
        for part in place[:-1]:
            above = above[part]
        del above[place[-1]]
    return section.model_validate(values)


def explain(loaded: Loaded[Any]) -> list[Setting]:
    """List every setting with its value, where the value came from, and the reason for it. Passwords in URLs are masked."""
    return list(_explain(loaded.settings, (), loaded.origins))


def known_kind(family: str, kind: str) -> str:
    """Return `kind` if the family has it; for validators of settings that name a kind.

    Raises:
        ValueError: it hasn't; the message lists the kinds.
    """
    try:
        return check_kind(family, kind)
    except PluginError as error:
        raise ValueError(str(error)) from None


def _explain(section: BaseModel, place: Place, origins: Mapping[Place, str]) -> Iterator[Setting]:
    for name, field in type(section).model_fields.items():
        where = (*place, field.alias or name)
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _explain(value, where, origins)
        elif isinstance(value, tuple | list) and value and all(isinstance(item, BaseModel) for item in value):
            for index, item in enumerate(value):
                yield from _explain(item, (*where, index), origins)
        else:
            reason = " ".join((field.description or "").split())
            yield Setting(path_text(where), masked(_written(value)), _origin(where, origins), reason)


def _origin(place: Place, origins: Mapping[Place, str]) -> str:
    """Where a value came from: its own line, else that of a list or mapping given for it in one piece by the environment."""
    if place in origins:
        return origins[place]
    above = (origins.get(place[:length], "") for length in range(len(place) - 1, 0, -1))
    return next((origin for origin in above if origin.startswith("environment")), DEFAULT)


def _written(value: object) -> str:
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_written(item) for item in value) + "]"
    return "none" if value is None else str(value)
