"""What earlier versions left behind can still be opened, verified and read."""

import shutil
from pathlib import Path

import pytest

from daemon.ledger.ledger import open_ledger
from daemon.places import Places
from streams.inference.session import load
from streams.inference.store import BundleStore
from streams.lake.lake import Lake

FIXTURES = Path(__file__).parents[1] / "fixtures"
STATES = sorted(FIXTURES.glob("state-*"))
MODEL = "toys"
ROWS = 200


@pytest.fixture(params=STATES, ids=lambda state: state.name)
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return shutil.copytree(request.param, tmp_path / "state")


def test_there_is_a_state_to_start_from() -> None:
    assert STATES


def test_a_ledger_is_brought_up_to_date_and_verifies(state: Path) -> None:
    with open_ledger(state / "ledger.sqlite") as ledger:
        assert ledger.verify() is None
        (incident,) = ledger.incidents()
        assert incident.state == "closed"
        assert ledger.plan(incident.plan_digest or "").digest == incident.plan_digest
        assert [lesson.outcome for lesson in ledger.lessons(incident.model)] == ["closed"]


def test_a_registrys_bundles_load_and_answer_as_they_did(state: Path) -> None:
    store = BundleStore(state / "registry")
    (folder,) = (state / "registry" / MODEL).iterdir()
    scorer = load(store, MODEL, folder.name)  # refuses a bundle whose golden rows come out differently
    assert scorer.manifest.windows
    assert Places(MODEL, "", state / "registry", 1).manifest(folder.name) == scorer.manifest


def test_a_lake_goes_on_behind_what_it_holds(state: Path) -> None:
    lake = Lake(state / "lake")
    for table in ("predictions", "outcomes"):
        assert lake.read(MODEL, table).num_rows == ROWS
        positions = {f"{MODEL}.{table}/0": ROWS}
        assert lake.positions(MODEL, table) == positions
        rows = lake.read(MODEL, table)
        lake.append(MODEL, table, rows, {place: offset + ROWS for place, offset in positions.items()})
        assert lake.read(MODEL, table).num_rows == 2 * ROWS
