"""What KServe's logger sends: CloudEvents with the request as it came, in the first protocol or the Open Inference Protocol.

Only requests are scored; a response on the same topic is refused as `not_a_request`, so give requests a topic of their own.
The id and the time are the event's.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from streams.contracts.schema import ModelSchema
from streams.dialects._events import LoggedRequests
from streams.dialects._options import check_none
from streams.dialects._times import rfc3339
from streams.dialects.base import Dialect, Limits, Options, Written

TYPES = ("org.kubeflow.serving.inference.request", "io.kserve.inference.request")
IDS = ("id",)


def open_dialect(schema: ModelSchema, limits: Limits, options: Options) -> Dialect:
    """Open the dialect for one model.

    Raises:
        ContractError: there are options.
    """
    check_none("kserve_logger", options)
    return LoggedRequests(schema, limits, types=TYPES, ids=IDS)


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
