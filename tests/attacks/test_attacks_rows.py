"""Rows of strangers, looked into by the real diagnosis: what it says of a poisoned category is what it says of any new one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from skills._kit.frames import floats
from skills._kit.skill import encode_answer
from tests.kit.attacked import SECRETS, VARIABLES, Attack, leaks, play, prompts_of
from tests.kit.control import START, event
from tests.kit.poisons import POISONS, UNWRITABLE, is_marked
from tests.kit.served import Served, diagnosed, late, served_in
from tests.kit.shops import SCHEMA
from tests.kit.turned import OBEDIENT

ALL = POISONS | {"nul": UNWRITABLE["nul"]}
HARMLESS = "a colour that is new!"
PRIVATE = "@example.org"
"""What every value of the tagged column ends in."""

KINDS = ("feature_drift", "loss_drift")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    found = served_in(tmp_path_factory.mktemp("served"))
    assert all(PRIVATE in email for email in found.given.table["email"].to_pylist())
    return found


def answer_about(served: Served, folder: Path, colour: str) -> dict[str, Any]:
    """What the diagnosis answers, as its process writes it, when every third late request has a new colour and is mistaken."""
    is_new = late(served) & (np.arange(served.given.table.num_rows) % 3 == 0)
    colours = served.given.table["colour"].to_pylist()
    changed = [colour if new else value for value, new in zip(colours, is_new, strict=True)]
    labels = floats(served.given.table, "label")
    found = diagnosed(served, folder, KINDS, colour=changed, label=np.where(is_new, 1 - labels, labels).tolist())
    answer: dict[str, Any] = msgspec.json.decode(encode_answer(found, None))["result"]
    return answer


@pytest.fixture(scope="module")
def clean(served: Served, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return answer_about(served, tmp_path_factory.mktemp("clean"), HARMLESS)


def nameless(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer whose slices have no names of categories."""
    found: dict[str, Any] = msgspec.json.decode(re.sub(rb"#[0-9a-f]{8}", b"#", msgspec.json.encode(answer)))
    return found


@pytest.mark.parametrize("name", ALL)
def test_a_poisoned_category_is_any_new_category(served: Served, clean: dict[str, Any], tmp_path: Path, name: str) -> None:
    found = answer_about(served, tmp_path, ALL[name])
    said = msgspec.json.encode(found).decode()
    assert nameless(found) == nameless(clean)
    assert not is_marked(said)
    assert PRIVATE not in said
    assert any(one["slice"].startswith("colour=#") for one in found["slices"]), "it was seen"


async def test_what_it_says_is_planned_as_if_the_name_were_any(
    served: Served, clean: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the lake to the plan: the same plan, the same prompts, and neither the text nor a tagged value anywhere."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    poisoned = answer_about(served, tmp_path / "rows", POISONS["injection"])
    runs = [
        await play(tmp_path / name, Attack([event(START)], answers={"diagnose_drift": answer}), OBEDIENT, schema=SCHEMA)
        for name, answer in (("clean", clean), ("poisoned", poisoned))
    ]
    assert runs[0].what_happened == runs[1].what_happened
    assert runs[0].told_plans == runs[1].told_plans
    assert prompts_of(runs[0]) == prompts_of(runs[1]) != ""
    assert not [name for name, text in runs[1].outlets.items() if is_marked(text)]
    assert leaks(runs[1], [*SECRETS, PRIVATE]) == []
