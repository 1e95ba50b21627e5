"""What Seldon's request logger sends: CloudEvents with the request as it came, in Seldon's protocol or the Open Inference one.

Only requests are scored; a response on the same topic is refused as `not_a_request`, so give requests a topic of their own.
The id is the extension `requestid`, which request and response share, else the event's; the time is the event's. Of a model that
Seldon serves, responses are its answers, on the same topic or another.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from streams.contracts.schema import ModelSchema
from streams.dialects._answers import chosen_in
from streams.dialects._events import LoggedAnswers, LoggedRequests
from streams.dialects._options import check_none
from streams.dialects._times import rfc3339
from streams.dialects.base import AnswerDialect, Dialect, Limits, Options, Written

TYPES = ("io.seldon.serving.inference.request",)
ANSWER_TYPES = ("io.seldon.serving.inference.response",)
IDS = ("requestid", "id")


def open_dialect(schema: ModelSchema, limits: Limits, options: Options) -> Dialect:
    """Open the dialect for one model.

    Raises:
        ContractError: there are options.
    """
    check_none("seldon", options)
    return LoggedRequests(schema, limits, types=TYPES, ids=IDS)


def open_answers(limits: Limits, options: Options) -> AnswerDialect:
    """Open the answers of one model; `output` and `position` say which number is the score.

    Raises:
        ContractError: an option is unknown or of a wrong type.
    """
    return LoggedAnswers(limits, chosen_in("seldon", options), types=ANSWER_TYPES, ids=IDS)


def example(request_id: str, time_ms: int, columns: Mapping[str, float | str | None]) -> Written:
    """Write an event in binary mode whose data names its columns."""
    headers = {
        "ce_specversion": "0.3",
        "ce_id": f"event of {request_id}"[:40],
        "ce_requestid": request_id,
        "ce_source": "logger",
        "ce_type": TYPES[0],
        "ce_time": rfc3339(time_ms),
        "content-type": "application/json",
    }
    value = msgspec.json.encode({"data": {"names": list(columns), "ndarray": [list(columns.values())]}})
    return Written(value, tuple((name, text.encode()) for name, text in headers.items()))


def answer_example(request_id: str, score: float) -> Written:
    """Write an event in binary mode that answers a request."""
    headers = {
        "ce_specversion": "0.3",
        "ce_id": f"answer to {request_id}"[:40],
        "ce_requestid": request_id,
        "ce_source": "logger",
        "ce_type": ANSWER_TYPES[0],
        "content-type": "application/json",
    }
    value = msgspec.json.encode({"data": {"names": ["score"], "ndarray": [[score]]}})
    return Written(value, tuple((name, text.encode()) for name, text in headers.items()))
