"""What a config says of the lake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from daemon.settings import DaemonSettings
from streams.contracts.errors import LakeError
from streams.lake.lake import Lake

OPENS = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "GOOGLE_SERVICE_ACCOUNT": "file", "AZURE_STORAGE_ACCOUNT_NAME": "name"}


def settings(model: dict[str, Any] | None = None, **more: Any) -> DaemonSettings:
    schema = {"columns": [{"name": "size", "kind": "number"}]}
    return DaemonSettings.model_validate({"models": [{"name": "toys", "schema": schema, **(model or {})}], **more})


def test_a_lake_is_under_the_data_folder_unless_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings().lake_place == str(tmp_path / ".driftwake" / "lake")
    assert settings(data_dir=tmp_path / "data").lake_place == str(tmp_path / "data" / "lake")
    assert settings(lake="other").lake_place == settings(lake=(tmp_path / "other").as_uri()).lake_place == str(tmp_path / "other")
    assert settings(lake="s3://bucket/prefix").lake_place == "s3://bucket/prefix"


def test_skills_see_what_opens_an_object_store_and_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**OPENS, "DATABASE_PASSWORD": "not theirs"}.items():
        monkeypatch.setenv(name, value)
    assert settings().executing_config().environment == {}
    given = settings(lake="gs://bucket/prefix").executing_config().environment
    assert OPENS.items() <= given.items()
    assert "DATABASE_PASSWORD" not in given


@pytest.mark.parametrize(
    ("model", "more", "said"),
    [
        ({}, {"lake": "ftp://host/lake"}, "must be a folder or a URL"),
        ({}, {"lake": "s3://key:secret@bucket/lake"}, "comes from the environment"),
        ({"replay": True}, {"lake": "s3://bucket"}, "a replay has a lake of its own"),
        ({"archiving": {"keep_rows": "29d"}, "planning": {"train": "20d", "sealed": "5d"}}, {}, "label_horizon"),
        ({"archiving": {"keep_rows": "60d"}, "planning": {"train": "61d"}}, {}, "planning.train"),
        ({"archiving": {"keep_versions": "1m"}}, {}, "at least 1h"),
    ],
)
def test_what_makes_no_sense_is_refused(model: dict[str, Any], more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings(model, **more)


def test_a_store_that_nobody_knows_is_told() -> None:
    with pytest.raises(LakeError, match="the lake's place must be a folder or a URL"):
        Lake("unknown://bucket/lake")
