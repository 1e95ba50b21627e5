"""What a config says of a model that is served elsewhere, and what it can't say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.contracts.errors import ConfigError
from streams.model import ModelSettings
from streams.runtime.config import load
from streams.settings import StreamsSettings

DIGEST = "a" * 64


def settings(tmp_path: Path, sidecar: Any, **more: Any) -> ModelSettings:
    file = tmp_path / "config.yaml"
    schema = {"columns": [{"name": "size", "kind": "number"}]}
    model = {"name": "toys", "schema": schema, "dialect": "kserve_logger", "sidecar": sidecar, **more}
    file.write_text(yaml.safe_dump({"models": [model]}))
    return load(StreamsSettings, file, {}).settings.models[0]


def test_serving_reads_what_observing_writes(tmp_path: Path) -> None:
    model = settings(tmp_path, {"responses": "toys.responses", "patience": "2m", "versions": {"v1": DIGEST}})
    assert model.sidecar is not None
    observed, served = model.observed(model.sidecar, 3, None), model.served(None)
    assert (served.requests, served.is_observed, served.versions) == (observed.answered, True, {"v1": DIGEST})
    # Answers come late, so that event time must wait for them.
    assert served.lateness_ms == model.lateness.ms + 120_000
    assert (observed.requests, observed.responses, observed.answer_dialect) == (
        "toys.requests",
        "toys.responses",
        "kserve_logger",
    )


def test_one_record_with_both_waits_for_nothing(tmp_path: Path) -> None:
    model = settings(tmp_path, {}, dialect="native")
    assert model.served(None).lateness_ms == model.lateness.ms


def test_without_a_sidecar_requests_are_answered_here(tmp_path: Path) -> None:
    served = settings(tmp_path, None).served(None)
    assert (served.requests, served.is_observed) == ("toys.requests", False)


@pytest.mark.parametrize(
    ("sidecar", "more", "said"),
    [
        ({}, {"replay": True}, "a replay answers its requests itself"),
        ({"responses": "toys.labels"}, {}, "another topic of the model"),
        ({"responses": "driftwake.toys.answered"}, {}, "kept for driftwake's own"),
        ({"dialect": "kserv"}, {}, "no kind 'kserv'"),
        ({"dialect_options": {"place": 1}}, {}, "place"),
        ({"versions": {"v1": "abc"}}, {}, "versions"),
        ({"patience": "2d"}, {}, "at most 1d"),
        ({"webhook": "ftp://x"}, {}, "webhook"),
        ({}, {"monitoring": {"detectors": ["loss_mean", "requests_rejected"]}}, "requests_rejected tells of requests"),
        ({}, {"monitoring": {"detectors": ["serving_latency"]}}, "serving_latency tells of requests"),
        ({}, {"monitoring": {"detectors": ["requests_clock"]}}, "requests_clock tells of requests"),
    ],
)
def test_what_makes_no_sense_is_said(tmp_path: Path, sidecar: Any, more: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        settings(tmp_path, sidecar, **more)
