"""What every dialect must satisfy. Run over each kind by the tests; outsiders import it for theirs."""

from __future__ import annotations

from types import ModuleType

import msgspec

from streams.contracts.schema import ModelSchema
from streams.dialects.base import EARLIEST_MS, Answer, Limits, Message, Refusal

Columns = dict[str, float | str | None]


def check_round_trip(kind: ModuleType, schema: ModelSchema, rows: list[Columns]) -> None:
    """What `example` writes, `decode` reads: same id, time and columns, nulls included.

    Raises:
        AssertionError: a row was refused or changed.
    """
    dialect = kind.open_dialect(schema, Limits(), {})
    for index, columns in enumerate(rows):
        row = dialect.decode(kind.example(f"id-{index}", EARLIEST_MS + index, columns))
        if isinstance(row, Refusal) or (row.id, row.time_ms, msgspec.structs.asdict(row.features)) != (
            f"id-{index}",
            EARLIEST_MS + index,
            columns,
        ):
            raise AssertionError(f"row {index} came back refused or changed: {row}")


def check_absent_column(kind: ModuleType, schema: ModelSchema, columns: Columns) -> None:
    """A declared column that isn't there is refused as `missing_column`: absent isn't null.

    Raises:
        AssertionError: it was accepted, or refused for another reason.
    """
    dialect = kind.open_dialect(schema, Limits(), {})
    for name in columns:
        answer = dialect.decode(kind.example("id", EARLIEST_MS, {key: value for key, value in columns.items() if key != name}))
        if not isinstance(answer, Refusal) or answer.reason != "missing_column" or name not in answer.detail:
            raise AssertionError(f"without {name} it gave {answer}")


def check_any_record(kind: ModuleType, schema: ModelSchema, message: Message) -> None:
    """Any value with any headers gives a row or a refusal, never an exception; a row is one that can be encoded again.

    Raises:
        AssertionError: the answer is neither.
    """
    answer = kind.open_dialect(schema, Limits(), {}).decode(message)
    if isinstance(answer, Refusal):
        return
    if not answer.id or msgspec.json.encode(answer.features) == b"":
        raise AssertionError(f"neither a row nor a refusal: {answer}")


def check_answer_round_trip(kind: ModuleType, score: float) -> None:
    """What `answer_example` writes, the dialect's answers read: same id and score.

    Raises:
        AssertionError: it was refused or changed.
    """
    answer = kind.open_answers(Limits(), {}).decode(kind.answer_example("id-1", score))
    if not isinstance(answer, Answer) or (answer.id, answer.score) != ("id-1", score):
        raise AssertionError(f"the answer came back refused or changed: {answer}")


def check_any_answer(kind: ModuleType, message: Message) -> None:
    """Any value with any headers gives an answer or a refusal, never an exception; a score is a finite number.

    Raises:
        AssertionError: it is neither.
    """
    answer = kind.open_answers(Limits(), {}).decode(message)
    if isinstance(answer, Refusal):
        return
    if not answer.id or not abs(answer.score) < float("inf"):
        raise AssertionError(f"neither an answer nor a refusal: {answer}")
