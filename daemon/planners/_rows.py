"""Which rows a training should learn from: all that the config says, or those since a change that contradict the ones before."""

from __future__ import annotations

from typing import Final, NamedTuple

from daemon.planners.base import Situation

# The newest labels are as far behind as most labels take; a range is split into rows to learn from, to stop early by and to judge
# on, and each of the first two needs rows whose labels were known when the next began. Below three delays that can't be.
DELAYS: Final = 3


class Rows(NamedTuple):
    """Rows to learn from: those since an event time (None: as the config says), or none yet, but soon; and why, for people."""

    since_ms: int | None = None
    are_coming: bool = False
    why: str = ""


def rows_to_learn_from(situation: Situation, least_rows: int, *, contradicts: bool) -> Rows:
    """Choose them.

    Args:
        situation: all that is known.
        least_rows: labelled rows below which nothing is trained.
        contradicts: whether so much was lost that the rows of before teach what is wrong now.
    """
    change, likely = situation.diagnosis.change, situation.diagnosis.likely
    if not contradicts or change is None or likely is None or likely.cause != "concept_change":
        return Rows()
    delay_ms = situation.diagnosis.label_state.delay_ms_p90 or 0.0
    span_ms = situation.now_ms - delay_ms - change.since_ms
    if span_ms <= 0:
        return Rows()
    rows = change.learnable
    if rows >= least_rows and span_ms >= DELAYS * delay_ms:
        return Rows(change.since_ms, why=f"rows before the change contradict the {rows} labelled ones to learn from since it")
    # As many will be there after all the waits as come in the same time now.
    later_ms = span_ms + situation.waits_left * situation.wait_ms
    if rows * later_ms / span_ms >= least_rows and later_ms >= DELAYS * delay_ms:
        return Rows(are_coming=True, why=f"rows before the change contradict those since it, {rows} of which can be learnt from")
    return Rows()
