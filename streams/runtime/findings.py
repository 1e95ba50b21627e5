"""What pydantic found wrong with a config, in words that say what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from streams.runtime.documents import Place, path_text
from streams.runtime.text import masked


def findings_of(section: type[BaseModel], error: ValidationError, origins: Mapping[Place, str]) -> list[str]:
    """Turn every error into a line `path: what is wrong and what to do (file:line)`, in the order of the config."""
    lines = []
    for details in error.errors(include_url=False):
        place = details["loc"]
        if details["type"] == "too_short" and len(details["input"]) >= details["ctx"]["min_length"]:
            continue  # only too short because pydantic left out items that have findings of their own
        origin = next((origins[place[:length]] for length in range(len(place), 0, -1) if place[:length] in origins), "")
        lines.append(f"{path_text(place)}: {_sentence(section, details)}" + (f" ({origin})" if origin else ""))
    return lines


def _sentence(section: type[BaseModel], details: ErrorDetails) -> str:
    kind, place = details["type"], details["loc"]
    given = "what was given" if _is_secret(section, place) else _shown(details["input"])
    context = details.get("ctx", {})
    if kind == "missing":
        return f"is required; add it{_reason(section, place)}"
    if kind == "extra_forbidden":
        return f"there is no such setting; {_did_you_mean(str(place[-1]), _known(section, place[:-1]))}"
    if kind in {"literal_error", "enum"}:
        known = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        return f"must be {context.get('expected')}, not {given}; {_did_you_mean(str(details['input']), known)}".removesuffix("; ")
    if kind == "too_short":
        return f"needs at least {context.get('min_length')} of them; add what is missing"
    if kind in {"value_error", "assertion_error"}:
        return str(context.get("error", details["msg"]))
    message = details["msg"][0].lower() + details["msg"][1:]
    return f"{message.removeprefix('input ').replace('should', 'must')}, not {given}"


def _did_you_mean(given: str, known: list[str]) -> str:
    close = difflib.get_close_matches(given, known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are: {', '.join(known)}" if known else "remove it"


def _shown(value: object) -> str:
    text = masked(repr(value))
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_secret(section: type[BaseModel], place: Place) -> bool:
    """Say whether what stands at a place is nobody's to see, right or wrong."""
    model = _model_at(section, place[:-1])
    fields = {field.alias or name: field for name, field in model.model_fields.items()} if model is not None else {}
    field = fields.get(str(place[-1])) if place else None
    return field is not None and SecretStr in {field.annotation, *get_args(field.annotation)}


def _known(section: type[BaseModel], place: Place) -> list[str]:
    model = _model_at(section, place)
    return [field.alias or name for name, field in model.model_fields.items()] if model is not None else []


def _reason(section: type[BaseModel], place: Place) -> str:
    model = _model_at(section, place[:-1])
    if model is None:
        return ""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    field = fields.get(str(place[-1]))
    return f": {' '.join(field.description.split()).rstrip('.')}" if field is not None and field.description else ""


def _model_at(annotation: Any, place: Place) -> type[BaseModel] | None:
    """Find the pydantic model that a place of the config is checked against."""
    models = _models_in(annotation)
    if not place:
        return models[0] if models else None
    for model in models:
        for name, field in model.model_fields.items():
            if place[0] in (name, field.alias):
                below = place[2:] if len(place) > 1 and isinstance(place[1], int) else place[1:]
                return _model_at(field.annotation, below)
    return None


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]
