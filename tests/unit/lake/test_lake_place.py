"""Where a lake may lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.lake.place import checked, folder_of


@pytest.mark.parametrize(
    ("place", "folder"),
    [
        ("lake", Path("lake")),
        (Path("/srv/lake"), Path("/srv/lake")),
        ("file:///srv/a%20lake", Path("/srv/a lake")),
        ("s3://bucket/prefix", None),
        ("az://container", None),
        ("abfss://container@account.dfs.core.windows.net/prefix", None),
    ],
)
def test_a_place_is_a_folder_or_an_object_store(place: Path | str, folder: Path | None):
    assert folder_of(place) == folder
    assert checked(str(place)) == str(place)


@pytest.mark.parametrize(
    ("place", "match"),
    [
        ("ftp://host/lake", "begins with file, s3"),
        ("s3:///lake", "bucket"),
        ("file://host/lake", "three slashes"),
        ("s3://key:secret@bucket/lake", "environment"),
        ("s3://key@bucket/lake", "environment"),
        ("gs://bucket/lake?credential=x", "environment"),
    ],
)
def test_what_is_none_is_refused(place: str, match: str):
    with pytest.raises(ValueError, match=match):
        checked(place)
