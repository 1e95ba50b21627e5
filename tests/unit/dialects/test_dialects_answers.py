"""Answers of other servers: what each form says, which number is the score, and why one is refused."""

from __future__ import annotations

import struct
from typing import Any

import msgspec
import pytest

from streams.contracts.errors import ContractError
from streams.dialects import kserve_logger, mapped_json, native, open_inference, seldon
from streams.dialects.base import Answer, AnswerDialect, Limits, Refusal, Written

KSERVE = {"ce_specversion": "1.0", "ce_type": "org.kubeflow.serving.inference.response", "ce_id": "r1"}
SELDON = {"ce_type": "io.seldon.serving.inference.response", "ce_id": "e", "ce_requestid": "r1"}


def told(dialect: AnswerDialect, plain: Any, headers: dict[str, str] | None = None) -> Any:
    """An answer as (id, score, version), or a refusal's reason."""
    value = plain if isinstance(plain, bytes) else msgspec.json.encode(plain)
    answer = dialect.decode(Written(value, tuple((name, text.encode()) for name, text in (headers or {}).items())))
    return (answer.id, answer.score, answer.version) if isinstance(answer, Answer) else answer.reason


def output(name: str, data: list[Any], shape: list[int], datatype: str = "FP32") -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


V2 = open_inference.open_answers(Limits(), {})


def test_an_inference_response_says_its_version() -> None:
    said = {"model_name": "m", "model_version": "7", "id": "r1", "outputs": [output("predict", [0.25], [1])]}
    assert told(V2, said) == ("r1", 0.25, "7")


@pytest.mark.parametrize(("shape", "data"), [([1, 2], [0.75, 0.25]), ([1, 2], [[0.75, 0.25]])])
def test_of_several_numbers_the_last_is_the_score_unless_said(shape: list[int], data: list[Any]) -> None:
    said = {"id": "r1", "outputs": [output("probabilities", data, shape)]}
    assert told(V2, said) == ("r1", 0.25, None)
    assert told(open_inference.open_answers(Limits(), {"position": 0}), said) == ("r1", 0.75, None)
    assert told(open_inference.open_answers(Limits(), {"position": 2}), said) == "bad_score"


def test_of_several_outputs_one_must_be_named() -> None:
    said = {"id": "r1", "outputs": [output("label", [1], [1], "INT64"), output("probability", [0.25], [1])]}
    assert told(V2, said) == "bad_score"
    assert told(open_inference.open_answers(Limits(), {"output": "probability"}), said) == ("r1", 0.25, None)
    assert told(open_inference.open_answers(Limits(), {"output": "other"}), said) == "bad_score"


def test_an_answer_may_be_raw() -> None:
    raw = struct.pack("<d", 0.25)
    head = msgspec.json.encode(
        {"outputs": [{"name": "p", "datatype": "FP64", "shape": [1, 1], "parameters": {"binary_data_size": len(raw)}}]}
    )
    assert told(V2, head + raw, {"Inference-Header-Content-Length": str(len(head)), "ce_id": "r1"}) == ("r1", 0.25, None)


def test_a_batch_is_refused() -> None:
    assert told(V2, {"id": "r1", "outputs": [output("p", [0.1, 0.2], [2])]}) == "several_rows"
    assert told(V2, {"id": "r1", "outputs": [output("p", [0.1, 0.2], [2, 1])]}) == "several_rows"
    assert told(kserve_logger.open_answers(Limits(), {}), {"predictions": [0.1, 0.2]}, KSERVE) == "several_rows"


@pytest.mark.parametrize(
    ("payload", "options", "expected"),
    [
        ({"predictions": [0.25]}, {}, 0.25),
        ({"predictions": [[0.75, 0.25]]}, {}, 0.25),
        ({"predictions": [{"p": 0.25, "q": 9}]}, {"output": "p"}, 0.25),
        ({"outputs": [output("p", [0.25], [1, 1])]}, {}, 0.25),
    ],
)
def test_kserve_s_logger_s_responses_are_answers(payload: Any, options: dict[str, Any], expected: float) -> None:
    assert told(kserve_logger.open_answers(Limits(), options), payload, KSERVE) == ("r1", expected, None)
    structured = {"specversion": "1.0", "type": KSERVE["ce_type"], "id": "r1", "data": payload}
    assert told(kserve_logger.open_answers(Limits(), options), structured)[:2] == ("r1", expected)


def test_a_logged_request_is_no_answer() -> None:
    asked = KSERVE | {"ce_type": "org.kubeflow.serving.inference.request"}
    assert told(kserve_logger.open_answers(Limits(), {}), {"instances": [[1]]}, asked) == "not_an_answer"


@pytest.mark.parametrize(
    ("payload", "options"),
    [
        ({"data": {"names": ["no", "yes"], "ndarray": [[0.75, 0.25]]}}, {}),
        ({"data": {"names": ["yes", "no"], "ndarray": [[0.25, 0.75]]}}, {"output": "yes"}),
        ({"data": {"tensor": {"shape": [1, 2], "values": [0.75, 0.25]}}}, {}),
        ({"jsonData": {"yes": 0.25}}, {"output": "yes"}),
        ({"outputs": [output("p", [0.25], [1])]}, {}),
    ],
)
def test_seldon_s_logger_s_responses_are_answers(payload: Any, options: dict[str, Any]) -> None:
    assert told(seldon.open_answers(Limits(), options), payload, SELDON) == ("r1", 0.25, None)


def test_a_mapping_finds_the_score_and_the_version() -> None:
    found = mapped_json.open_answers(Limits(), {"id": "meta.id", "score": "out.0.p", "version": "meta.model.version"})
    assert told(found, {"meta": {"id": 17, "model": {"version": 3}}, "out": [{"p": 0.25}]}) == ("17", 0.25, "3")
    assert told(found, {"meta": {"id": 17}, "out": [{"p": 0.25}]}) == ("17", 0.25, None)
    assert told(found, {"meta": {"id": 17}, "out": []}) == "missing_field"
    with pytest.raises(ContractError, match="isn't a path"):
        mapped_json.open_answers(Limits(), {"score": "a..b"})


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        ({"id": "r1", "score": 1, "version": ""}, ("r1", 1.0, None)),
        ({"id": "r1", "score": True}, "bad_score"),
        ({"id": "r1", "score": "0.5"}, "bad_score"),
        ({"id": "r1", "score": None}, "bad_score"),
        ({"id": "r1", "score": 1e39}, "bad_score"),
        ({"id": 5, "score": 0.5}, "wrong_type"),
        ({"id": "", "score": 0.5}, "bad_id"),
        ({"id": "r1", "score": 0.5, "version": 7}, "wrong_type"),
        ({"id": "r1", "score": 0.5, "version": "v" * 300}, "wrong_type"),
        ({"score": 0.5}, "missing_field"),
        ([], "wrong_type"),
        (b"{", "not_json"),
    ],
)
def test_a_plain_answer_is_checked(plain: Any, expected: Any) -> None:
    assert told(native.open_answers(Limits(), {}), plain) == expected


def test_no_value_and_too_large_a_value_are_refused() -> None:
    for kind in (native, mapped_json, open_inference, kserve_logger, seldon):
        dialect = kind.open_answers(Limits(record_bytes=100), {})
        assert isinstance(dialect.decode(Written(None)), Refusal)
        assert told(dialect, b"x" * 101) == "too_large"
