"""Arguments that refer to earlier results: `{"from_step": "train", "field": "digest"}`. Pure.

`field` is a dotted path; `*` takes all items of a list. `{"concat": [a, b]}` joins lists and leaves out repeats.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daemon.errors import RunFailedError

Results = Mapping[str, Mapping[str, Any]]


def resolve(value: Any, results: Results) -> Any:
    """Replace every reference in a value by what it refers to.

    Raises:
        RunFailedError: a step or field isn't there.
    """
    if isinstance(value, dict):
        if set(value) == {"from_step", "field"}:
            return _follow(results, str(value["from_step"]), str(value["field"]))
        if set(value) == {"concat"}:
            return _joined([resolve(item, results) for item in value["concat"]])
        return {name: resolve(item, results) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(item, results) for item in value]
    return value


def _follow(results: Results, step: str, path: str) -> Any:
    if step not in results:
        raise RunFailedError("missing_result", f"step {step} has no result yet")
    found: Any = [results[step]]
    many = False
    for part in path.split("."):
        try:
            found = [item for one in found for item in one] if part == "*" else [one[part] for one in found]
        except (KeyError, TypeError) as error:
            raise RunFailedError("missing_result", f"step {step} has no {path}") from error
        many = many or part == "*"
    return found if many else found[0]


def _joined(lists: list[Any]) -> list[Any]:
    joined: list[Any] = []
    for items in lists:
        joined.extend(item for item in items if item not in joined)
    return joined
