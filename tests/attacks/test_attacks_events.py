"""Events of strangers, whose every text is an attack: the plan and the prompts are those of the clean run, to the byte.

Our own monitors write none of these texts (`test_attacks_rows.py` and `test_attacks_watching.py`). Who can write to the topic can
raise an incident; what he wrote is on record as it came, and nowhere else.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
import pytest_asyncio

from daemon.planners._claude.words import Names
from streams.contracts.events import DriftEvent, Evidence
from tests.kit.attacked import CONTROL, SECRETS, VARIABLES, Attack, Played, leaks, play, prompts_of
from tests.kit.control import START, event
from tests.kit.poisons import POISONS, UNWRITABLE, is_marked
from tests.kit.turned import OBEDIENT

ITS_OWN_RECORDS = {"event.received", "step.reserved"}
"""Where an event's texts stand: in its own record, and in what the diagnosis was asked."""

PAGES = ("explain", "report", "terminal")


def written_by(text: str, name: str = "e") -> DriftEvent:
    """An event all of whose texts a stranger wrote; what it is about decides whether anybody looks."""
    proof = Evidence(watched=text, method=text, p_value=0.01, effect=0.2, effect_unit=text, before={text: 1.0}, after={text: 2.0})
    parts = tuple(
        msgspec.structs.replace(proof, watched=watched) for watched in (f"depot={text}", f"weight=1..{text}", f"email={text}")
    )
    return msgspec.structs.replace(event(START, name=name), detector=text, causation_id=text, evidence=(proof, *parts))


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


@pytest_asyncio.fixture(scope="module")
async def clean(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return await play(tmp_path_factory.mktemp("clean"), Attack([written_by("harmless text")]), OBEDIENT)


def assert_pages_are_whole(played: Played) -> None:
    """What a page shows of foreign texts is text: nothing rewrites a terminal, nothing is markup."""
    for name in (*PAGES, "logs", "metrics"):
        assert CONTROL.search(played.outlets[name]) is None, (name, CONTROL.search(played.outlets[name]))
    page = played.outlets["report"]
    tags = {part.tag for part in ET.fromstring(page.removeprefix("<!DOCTYPE html>")).iter()}  # noqa: S314 - made by the code under test
    assert not tags & {"script", "img", "iframe", "cause"}


@pytest.mark.parametrize("name", [*POISONS, "nul"])
async def test_the_plan_is_that_of_the_clean_run(tmp_path: Path, clean: Played, name: str) -> None:
    poison = POISONS.get(name) or UNWRITABLE[name]
    found = await play(tmp_path, Attack([written_by(poison)]), OBEDIENT)
    assert [plan.action for plan in found.plans] == ["retrain"], "the model read no order"
    assert found.what_happened == clean.what_happened
    assert found.told_plans == clean.told_plans
    assert prompts_of(found) == prompts_of(clean)
    for outlet in ("prompts", "logs", "metrics", "deployments"):
        assert not is_marked(found.outlets[outlet]), outlet
    assert found.kinds_with(is_marked) <= ITS_OWN_RECORDS
    assert_pages_are_whole(found)
    assert leaks(found, SECRETS) == []


async def test_what_is_looked_for_would_be_found(clean: Played) -> None:
    """The clean run tells everything that it should: empty outlets would prove nothing."""
    assert len(clean.outlets["prompts"].splitlines()) == 2
    assert "cat_001" in clean.outlets["prompts"]
    for name, said in {"logs": "IncidentMoved", "audit": "event.received", "metrics": "driftwake_daemon_moves_total"}.items():
        assert said in clean.outlets[name]
    for name in PAGES:
        assert "harmless text" in clean.outlets[name], name
    assert clean.outlets["deployments"].count("\n") > 1
    assert leaks(clean, ["IncidentMoved"]) == [("logs", "IncidentMoved")]


async def test_a_model_that_is_shown_an_order_obeys_in_vain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were names said as they come, this model would be turned; even then what is impossible isn't done."""
    monkeypatch.setattr(Names, "column", lambda self, name: str(name))
    found = await play(tmp_path, Attack([written_by(POISONS["injection"])]), OBEDIENT)
    assert is_marked(found.outlets["prompts"])
    (incident,) = found.incidents
    assert incident.details["arbitration"]["used"] == "policy"
    assert [plan.action for plan in found.plans] == ["search_features_and_retrain"]


@pytest.mark.parametrize("name", [name for name, text in POISONS.items() if len(text) <= 128])
async def test_an_id_is_no_text(tmp_path: Path, clean: Played, name: str) -> None:
    """An id stands wherever something refers to it, as an id does, and never where it could be read as more."""
    hostile = msgspec.structs.replace(written_by("harmless text"), id=POISONS[name])
    found = await play(tmp_path, Attack([hostile]), OBEDIENT)
    assert found.what_happened == clean.what_happened
    assert prompts_of(found) == prompts_of(clean)
    for outlet in ("prompts", "logs", "metrics", "deployments", "report", "terminal"):
        assert not is_marked(found.outlets[outlet]), outlet
    assert_pages_are_whole(found)


@pytest.mark.parametrize("name", ["surrogate", "nul"])
async def test_an_event_that_no_ledger_can_keep_is_not_taken(tmp_path: Path, name: str) -> None:
    hostile = msgspec.structs.replace(written_by("harmless text"), id=UNWRITABLE[name])
    found = await play(tmp_path, Attack([hostile], days=1), OBEDIENT)
    assert len(found.refused) == 1
    assert not is_marked(found.refused[0])
    assert (found.incidents, found.starts, found.outlets["prompts"]) == ([], [], "")
    assert not any(is_marked(text) for text in found.outlets.values())


@pytest.mark.parametrize("transition", ["xq7zv confirmed", "<script>xq7zv</script>"])
async def test_what_is_no_event_is_refused(tmp_path: Path, transition: str) -> None:
    hostile = msgspec.structs.replace(written_by("harmless text"), transition=transition)  # type: ignore[arg-type]
    deep = b'{"id":' * 100_000
    found = await play(tmp_path, Attack([hostile, deep, b"\xff\xfe", b"", b"null"], days=1), OBEDIENT)
    assert len(found.refused) == 5
    assert (found.incidents, found.records) == ([], [])
