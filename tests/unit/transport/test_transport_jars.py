"""The jars: pinned, checked before they are kept, and never fetched twice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streams.contracts.errors import BrokerError
from streams.transport import jars


def test_every_jar_is_pinned_once_with_a_whole_digest() -> None:
    pins = jars.pinned()
    assert len({jar.file_name for jar in pins}) == len(pins) > 30
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) and jar.size > 0 for jar in pins)
    kafka = {jar.coordinate.rpartition(":")[2] for jar in pins if jar.coordinate.startswith("org.apache.kafka:")}
    assert kafka == {jars.KAFKA_VERSION}


def test_a_complete_cache_is_used_as_it_is(tmp_path: Path) -> None:
    for jar in jars.pinned():
        with (tmp_path / jar.file_name).open("wb") as file:
            file.truncate(jar.size)
    assert [path.name for path in jars.class_path(tmp_path)] == [jar.file_name for jar in jars.pinned()]


def test_a_jar_with_another_digest_is_not_kept(tmp_path: Path) -> None:
    jar = jars.pinned()[0]
    fetched = tmp_path / "fetched.jar"
    fetched.write_bytes(bytes(jar.size))
    with pytest.raises(BrokerError, match=jar.sha256):
        jars._checked(fetched, jar)


def test_the_cache_follows_xdg_and_ignores_a_relative_path(tmp_path: Path) -> None:
    name = f"kafka-{jars.KAFKA_VERSION}"
    assert jars.cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "driftwake" / name
    assert jars.cache_folder({"XDG_CACHE_HOME": "here"}) == Path.home() / ".cache" / "driftwake" / name
