"""What inference servers answer, whatever brought it: the Open Inference Protocol, KServe's first protocol, Seldon's."""

from __future__ import annotations

import math
from typing import Annotated, Any

import msgspec

from streams.dialects._options import said
from streams.dialects._rows import kind_of, parsed
from streams.dialects._seldon import rows_of_data
from streams.dialects._tensors import Tensor, values_of
from streams.dialects.base import FLOAT32_MAX, Answer, Limits, Options, Refusal


class Chosen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which number of an answer is the score: of the output called `output` the one at `position`.

    Positions count from 0 on or, below 0, from the end. It is the last unless said: what a classifier gives for its classes 0
    and 1 ends with the probability of 1.
    """

    output: str | None = None
    position: Annotated[int, msgspec.Meta(ge=-1_000, le=1_000)] = -1


class Given(msgspec.Struct, frozen=True):
    """What an answer's payload says: the numbers of its one row, and the id and the version where it names them."""

    numbers: list[Any]
    id: Any = None
    version: Any = None


class _Outputs(msgspec.Struct):
    outputs: list[Tensor]
    id: str | None = None
    model_version: str | None = None


def chosen_in(kind: str, options: Options) -> Chosen:
    """Read the options that say which number is the score.

    Raises:
        ContractError: one is unknown or of a wrong type.
    """
    return said(kind, options, Chosen)


def given_in(payload: bytes, chosen: Chosen, raw: bytes = b"") -> Given | Refusal:
    """Read a payload by what it holds: `outputs`, `predictions`, `data` or `jsonData`.

    Args:
        payload: JSON.
        chosen: which output counts, where there are several.
        raw: tensors behind the JSON.
    """
    plain = parsed(payload)
    if isinstance(plain, Refusal):
        return plain
    if "outputs" in plain:
        return _inference(plain, chosen, raw)
    if "predictions" in plain:
        return _numbers(plain["predictions"], None, chosen, plain.get("id"), None)
    if "data" in plain or "jsonData" in plain:
        return _seldon(plain, chosen)
    return Refusal("not_an_answer", "no outputs, predictions or data")


def answer_of(identity: Any, given: Given, chosen: Chosen, limits: Limits) -> Answer | Refusal:
    """Make the answer of what was given.

    Args:
        identity: of the request.
        given: by the payload.
        chosen: which number is the score.
        limits: of an id; a version is as short.
    """
    if not isinstance(identity, str):
        return Refusal("wrong_type", f"id: expected a string, got {kind_of(identity)}")
    if not 0 < len(identity) <= limits.id_length:
        return Refusal("bad_id", f"id: {len(identity)} characters, expected 1 to {limits.id_length}")
    version = given.version
    if version is not None and not (isinstance(version, str) and len(version) <= limits.id_length):
        return Refusal("wrong_type", f"version: expected a string of at most {limits.id_length} characters")
    score = _score(given.numbers, chosen.position)
    return score if isinstance(score, Refusal) else Answer(identity, score, version or None)


def _score(numbers: list[Any], position: int) -> float | Refusal:
    if not -len(numbers) <= position < len(numbers):
        return Refusal("bad_score", f"{len(numbers)} values, and the score is said to stand at {position}")
    score = numbers[position]
    if not isinstance(score, int | float) or isinstance(score, bool):
        return Refusal("bad_score", f"score: expected a number, got {kind_of(score)}")
    return float(score) if abs(score) <= FLOAT32_MAX else Refusal("bad_score", "score: doesn't fit float32")


def _inference(plain: dict[str, Any], chosen: Chosen, raw: bytes) -> Given | Refusal:
    try:
        found = msgspec.convert(plain, _Outputs)
    except (msgspec.ValidationError, OverflowError) as error:
        return Refusal("wrong_type", str(error))
    tensors = {tensor.name: tensor for tensor in found.outputs}
    name = chosen.output if chosen.output is not None else next(iter(tensors), None)
    if name not in tensors or len(tensors) < len(found.outputs) or (chosen.output is None and len(tensors) > 1):
        said = f"no output {name!r}" if chosen.output is not None else f"{len(found.outputs)} outputs"
        return Refusal("bad_score", f"{said}; name the one that holds the score with `output`")
    if math.prod(tensors[name].shape[:1]) != 1:
        return Refusal("several_rows", "an output of several rows; one record is one row")
    values = values_of(found.outputs, raw)
    return values if isinstance(values, Refusal) else Given(values[name], found.id, found.model_version)


def _seldon(plain: dict[str, Any], chosen: Chosen) -> Given | Refusal:
    meta = plain.get("meta")
    identity = meta.get("puid") if isinstance(meta, dict) else None
    if "data" not in plain:
        return _numbers([plain["jsonData"]], None, chosen, identity, None)
    found = rows_of_data(plain["data"])
    return found if isinstance(found, Refusal) else _numbers(found.rows, found.names, chosen, identity, None)


def _numbers(rows: Any, names: list[str] | None, chosen: Chosen, identity: Any, version: Any) -> Given | Refusal:
    """Return the only row's numbers: those of an object or of named values that `output` names, else all."""
    if not isinstance(rows, list):
        return Refusal("wrong_type", f"rows: expected an array, got {kind_of(rows)}")
    if len(rows) != 1:
        return Refusal("several_rows", f"{len(rows)} rows; write one record for each row")
    (row,) = rows
    if isinstance(row, list) and names is not None and len(names) == len(row) and chosen.output is not None:
        row = dict(zip(names, row, strict=True))
    if isinstance(row, dict):
        if chosen.output not in row:
            return Refusal("bad_score", "an answer of named values; name the one that holds the score with `output`")
        row = row[chosen.output]
    return Given(row if isinstance(row, list) else [row], identity, version)
