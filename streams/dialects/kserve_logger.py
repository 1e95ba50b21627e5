"""What KServe's logger sends: CloudEvents with the request as it came, in the first protocol or the Open Inference Protocol.

Only requests are scored; a response on the same topic is refused as `not_a_request`, so give requests a topic of their own.
The id and the time are the event's. Of a model that KServe serves, responses are its answers, on the same topic or another.
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

TYPES = ("org.kubeflow.serving.inference.request", "io.kserve.inference.request")
ANSWER_TYPES = ("org.kubeflow.serving.inference.response", "io.kserve.inference.response")
IDS = ("id",)


def open_dialect(schema: ModelSchema, limits: Limits, options: Options) -> Dialect:
    """Open the dialect for one model.

    Raises:
        ContractError: there are options.
    """
    check_none("kserve_logger", options)
    return LoggedRequests(schema, limits, types=TYPES, ids=IDS)


def open_answers(limits: Limits, options: Options) -> AnswerDialect:
    """Open the answers of one model; `output` and `position` say which number is the score.

    Raises:
        ContractError: an option is unknown or of a wrong type.
    """
    return LoggedAnswers(limits, chosen_in("kserve_logger", options), types=ANSWER_TYPES, ids=IDS)


def example(request_id: str, time_ms: int, columns: Mapping[str, float | str | None]) -> Written:
    """Write an event in binary mode whose data is a request of the first protocol."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": request_id,
        "ce_source": "logger",
        "ce_type": TYPES[0],
        "ce_time": rfc3339(time_ms),
        "content-type": "application/json",
    }
    value = msgspec.json.encode({"instances": [dict(columns)]})
    return Written(value, tuple((name, text.encode()) for name, text in headers.items()))


def answer_example(request_id: str, score: float) -> Written:
    """Write an event in binary mode that answers a request."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": request_id,
        "ce_source": "logger",
        "ce_type": ANSWER_TYPES[0],
        "content-type": "application/json",
    }
    value = msgspec.json.encode({"predictions": [score]})
    return Written(value, tuple((name, text.encode()) for name, text in headers.items()))
