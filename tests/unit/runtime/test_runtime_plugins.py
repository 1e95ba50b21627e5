import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.contracts.errors import PluginError
from streams.runtime.plugins import check_kind, group_of, kinds_of, load_kind


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A family `zoo_animals` with two kinds of its own, one of which lacks a library, and one from another distribution."""
    folder = tmp_path / "zoo_animals"
    folder.mkdir()
    for name in ("__init__", "base", "checks", "_kit", "whale"):
        (folder / f"{name}.py").write_text("LEGS = 0\n")
    (folder / "crab.py").write_text("import a_library_that_is_missing\n")
    (folder / "README.md").write_text("add one")
    (tmp_path / "spiders.py").write_text("LEGS = 8\n")
    add_distribution(tmp_path, "spider-plugin", "spider = spiders\nnot_a_module = spiders:LEGS\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "zoo_animals"
    for name in [name for name in sys.modules if name.partition(".")[0] in {"zoo_animals", "spiders"}]:
        del sys.modules[name]


def add_distribution(folder: Path, name: str, entries: str) -> None:
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[driftwake.zoo_animals]\n{entries}")


def test_kinds_are_the_modules_and_the_entry_points(family: str):
    assert group_of("streams.detectors") == "driftwake.detectors"
    assert kinds_of(family) == ("crab", "not_a_module", "spider", "whale")
    assert "zoo_animals.whale" not in sys.modules


def test_only_the_named_kind_is_imported(family: str):
    assert load_kind(family, "whale").LEGS == 0
    assert load_kind(family, "spider").LEGS == 8
    assert "zoo_animals.crab" not in sys.modules


@pytest.mark.parametrize("kind", ["wale", "base", "checks", "_kit", "os.path", "../x", ""])
def test_an_unknown_kind_lists_the_kinds(family: str, kind: str):
    with pytest.raises(PluginError, match="There are: crab, not_a_module, spider, whale"):
        load_kind(family, kind)


def test_a_near_miss_gets_a_hint(family: str):
    with pytest.raises(PluginError, match="did you mean 'whale'"):
        check_kind(family, "wale")


def test_a_missing_library_is_named(family: str):
    with pytest.raises(PluginError, match="'a_library_that_is_missing'; install it"):
        load_kind(family, "crab")


def test_an_entry_point_must_be_a_module(family: str):
    with pytest.raises(PluginError, match="must name a module, not int"):
        load_kind(family, "not_a_module")


def test_a_kind_given_twice_is_refused(family: str, tmp_path: Path):
    add_distribution(tmp_path, "whale-plugin", "whale = spiders\n")
    with pytest.raises(PluginError, match="whale is given more than once"):
        kinds_of(family)
