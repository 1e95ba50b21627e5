import importlib
import re
from pathlib import Path

import pytest

from tests.kit.sources import ROOT, name_of

STAGES = (
    "streams/calling", "streams/observing", "streams/serving", "streams/joining", "streams/measuring", "streams/monitoring",
    "streams/archiving",
    "daemon/triaging", "daemon/planning", "daemon/executing", "daemon/judging", "daemon/deploying", "daemon/reflecting",
)  # fmt: skip
FAMILIES = ("streams/detectors", "streams/dialects", "daemon/planners", "daemon/gates")
FOREIGN_FOLDERS = {"__pycache__"}

WAIVED: dict[str, str] = {
    "daemon/reflecting/stage.py": "pure: a lesson is made from the move that ends the incident",
    "daemon/reflecting/config.py": "nothing to set",
}
"""What a skeleton lacks, and why. It may only become shorter."""


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("part", ["stage.py", "config.py"])
def test_a_stage_has_its_skeleton(stage: str, part: str):
    name = f"{stage}/{part}"
    assert (ROOT / name).is_file() != (name in WAIVED), f"{name}: {WAIVED.get(name, 'is missing')}"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("part", ["base.py", "checks.py", "README.md"])
def test_a_family_has_its_skeleton(family: str, part: str):
    name = f"{family}/{part}"
    assert (ROOT / name).is_file() != (name in WAIVED), f"{name}: {WAIVED.get(name, 'is missing')}"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_a_kind_and_tells_how_to_add_one(family: str):
    kinds = [file.stem for file in (ROOT / family).glob("*.py") if file.stem not in {"__init__", "base", "checks"}]
    assert [kind for kind in kinds if not kind.startswith("_")]
    assert len((ROOT / family / "README.md").read_text().splitlines()) <= 60


def test_every_gerund_is_a_listed_stage():
    found = {name_of(folder) for tree in ("streams", "daemon") for folder in folders(ROOT / tree) if folder.name.endswith("ing")}
    assert found == set(STAGES)


def test_every_skill_is_a_verb_and_an_object():
    found = [file.stem for file in (ROOT / "skills").glob("*.py") if not file.stem.startswith("_")]
    assert found
    for name in found:
        assert re.fullmatch(r"[a-z]+_[a-z]+", name)
        module = importlib.import_module(f"skills.{name}")
        assert module.SPEC.summary
        assert callable(module.run)


def test_modules_are_called_what_they_are():
    banned = re.compile(r"(^|_)(utils?|helpers?|common|manager|handler|impl)(_|$)|^base_")
    names = [file for tree in ("streams", "daemon", "skills") for file in (ROOT / tree).rglob("*.py")]
    assert names
    assert not [name_of(file) for file in names if banned.search(file.stem)]


def folders(place: Path) -> list[Path]:
    return [folder for folder in place.iterdir() if folder.is_dir() and folder.name not in FOREIGN_FOLDERS]
