"""A record of another server's topics to what it says: a request, an answer, or the reason why it can't be used."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from streams.contracts.schema import Task
from streams.dialects.base import Answer, AnswerDialect, Dialect, Refusal, Row
from streams.runtime.protection import Protection
from streams.transport.quarantine import MOST_KEY_BYTES
from streams.transport.records import Record


class Answered(NamedTuple):
    """A request and its answer, out of one record."""

    row: Row
    answer: Answer


Said = Row | Answer | Answered | Refusal
Read = Callable[[Record], Said]


class Reader:
    """Reads the topics of one model.

    Args:
        requests: how requests are written.
        answers: how answers are written.
        task: what a score may be.
        ahead_ms: how far after the broker got it a request may claim to be.
        protection: of the requests' columns; None: there is nothing to protect.
    """

    def __init__(
        self, requests: Dialect, answers: AnswerDialect, task: Task, ahead_ms: int, *, protection: Protection | None = None
    ) -> None:
        self._requests = requests
        self._answers = answers
        self._task = task
        self._ahead_ms = ahead_ms
        self._protection = protection

    def request(self, record: Record) -> Row | Refusal:
        """Read a request, and protect it."""
        if record.key is not None and len(record.key) > MOST_KEY_BYTES:
            return Refusal("too_large", f"the record's key has {len(record.key)} bytes, more than {MOST_KEY_BYTES}")
        row = self._requests.decode(record)
        if not isinstance(row, Refusal) and row.time_ms - record.timestamp_ms > self._ahead_ms:
            return Refusal("absurd_time", f"time_ms: more than {self._ahead_ms} ms after the broker got the record")
        if self._protection is not None and not isinstance(row, Refusal):
            self._protection.protect(row.features)
        return row

    def answer(self, record: Record) -> Answer | Refusal:
        """Read an answer."""
        answer = self._answers.decode(record)
        if isinstance(answer, Answer) and self._task == "binary" and not 0.0 <= answer.score <= 1.0:
            return Refusal("bad_score", "score: of a binary task it must be a probability, from 0 to 1")
        return answer

    def either(self, record: Record) -> Row | Answer | Refusal:
        """Read a request or, if it is none, an answer."""
        row = self.request(record)
        if not isinstance(row, Refusal) or row.reason in {"too_large", "not_json"}:
            return row
        answer = self.answer(record)
        # Who knows that it was an answer knows best what is wrong with it.
        return answer if not isinstance(answer, Refusal) or row.reason == "not_a_request" else row

    def both(self, record: Record) -> Answered | Refusal:
        """Read a request with its answer."""
        row, answer = self.request(record), self.answer(record)
        if isinstance(row, Refusal):
            return row
        return answer if isinstance(answer, Refusal) else Answered(row, answer)
