"""Calls of language models: paid for before they are made, and settled after. What was never settled counts as spent."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from daemon.errors import BudgetSpentError, LedgerError
from daemon.ledger.store import Store
from daemon.ledger.tables import LlmCallRow

RESERVED: Final = "reserved"
"""The outcome of a call that nobody has settled: it is under way, or whoever made it died."""


class LlmCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a language model about one incident.

    `llm` is who was asked, `model` whose incident it is. Tokens and `dollars` are the most that it can cost while its `outcome`
    is `reserved`, and what it cost afterwards, as far as that is known. `tokens_in` are those beside the cache.
    """

    id: int
    incident: str
    model: str
    llm: str
    purpose: str
    tokens_in: int
    tokens_out: int
    tokens_cache_read: int = 0
    tokens_cache_written: int = 0
    dollars: float
    latency_ms: int = 0
    outcome: str = RESERVED
    request_id: str = ""
    asked_wall_ms: int


class Budget(NamedTuple):
    """Dollars that a model's calls may cost from a wall-clock time on."""

    dollars: float
    since_wall_ms: int


class Cost(NamedTuple):
    """What a call took: tokens, by how they are priced, and dollars."""

    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cache_read: int = 0
    tokens_cache_written: int = 0
    dollars: float = 0.0


class Calls(Store):
    """What language models were asked, and what that cost."""

    def reserve_call(
        self, incident: str, model: str, *, llm: str, purpose: str, most: Cost, budget: Budget, now_ms: int
    ) -> LlmCall:
        """Take the most that a call can cost out of the budget, before it is made.

        Raises:
            BudgetSpentError: there isn't so much left; nothing was written.
        """
        with self._changing("llm.reserved", model=model, subject=incident, time_ms=now_ms) as change:
            change.incident = incident
            spent = _spent(change.session, model, budget.since_wall_ms)
            if spent + most.dollars > budget.dollars:
                raise BudgetSpentError(
                    f"a call may cost {most.dollars:.4f} dollars; of {budget.dollars:.4f} {spent:.4f} are spent"
                )
            row = LlmCallRow(
                incident_id=incident, model=model, llm=llm, purpose=purpose, **most._asdict(), latency_ms=0, outcome=RESERVED,
                request_id="", asked_wall_ms=self.wall_ms(), time_ms=now_ms,
            )  # fmt: skip
            change.session.add(row)
            change.session.flush()
            change.data.update(call=row.id, llm=llm, purpose=purpose, **most._asdict())
            return _call(row)

    def settle_call(
        self, call: LlmCall, outcome: str, *, now_ms: int, latency_ms: int, cost: Cost | None = None, request_id: str = ""
    ) -> LlmCall:
        """Say how a call ended and what it cost; without `cost`, which nobody told, it stays at what was reserved.

        Raises:
            LedgerError: it was settled before.
        """
        with self._changing("llm.settled", model=call.model, subject=call.incident, time_ms=now_ms) as change:
            change.incident = call.incident
            row = change.session.get_one(LlmCallRow, call.id)
            if row.outcome != RESERVED:
                raise LedgerError(f"call {call.id} was settled before, as {row.outcome}")
            for name, value in (cost._asdict() if cost is not None else {}).items():
                setattr(row, name, value)
            row.outcome, row.latency_ms, row.request_id = outcome, latency_ms, request_id
            change.data.update(
                call=row.id, outcome=outcome, latency_ms=latency_ms, request_id=request_id, dollars=row.dollars,
                tokens_in=row.tokens_in, tokens_out=row.tokens_out, tokens_cache_read=row.tokens_cache_read,
                tokens_cache_written=row.tokens_cache_written,
            )  # fmt: skip
            return _call(row)

    def calls_of(self, incident: str) -> list[LlmCall]:
        """Read the calls about an incident, in order."""
        query = select(LlmCallRow).where(LlmCallRow.incident_id == incident).order_by(LlmCallRow.id)
        with self._reading() as session:
            return [_call(row) for row in session.scalars(query)]

    def dollars_spent(self, model: str, since_wall_ms: int) -> float:
        """Add up what a model's calls cost from a wall-clock time on; calls under way count with what was reserved."""
        with self._reading() as session:
            return _spent(session, model, since_wall_ms)


def _spent(session: Session, model: str, since_wall_ms: int) -> float:
    query = select(func.coalesce(func.sum(LlmCallRow.dollars), 0.0))
    return float(session.scalar(query.where(LlmCallRow.model == model, LlmCallRow.asked_wall_ms >= since_wall_ms)) or 0.0)


def _call(row: LlmCallRow) -> LlmCall:
    return LlmCall(
        id=row.id, incident=row.incident_id, model=row.model, llm=row.llm, purpose=row.purpose, tokens_in=row.tokens_in,
        tokens_out=row.tokens_out, tokens_cache_read=row.tokens_cache_read, tokens_cache_written=row.tokens_cache_written,
        dollars=row.dollars, latency_ms=row.latency_ms, outcome=row.outcome, request_id=row.request_id,
        asked_wall_ms=row.asked_wall_ms,
    )  # fmt: skip
