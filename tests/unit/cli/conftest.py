"""A ledger with one incident that went all the way, and the config that leads to it."""

from pathlib import Path

import pytest

from daemon.api.commands import Asked
from daemon.cli import main
from daemon.commands.reaching import FromLedger
from daemon.ledger.ledger import open_ledger
from daemon.ledger.records import State
from tests.kit.command_line import Answer, Place, Run
from tests.kit.incidents import START_MS, opened, through

CONFIG = """\
data_dir: {folder}
models:
  - name: parcels
    schema:
      columns:
        - {{name: weight, kind: number}}
        - {{name: depot, kind: category}}
    planning: {{autonomy: act}}
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process."""

    def run(*arguments: str) -> Answer:
        capsys.readouterr()
        code = main(arguments)
        return Answer(code, *capsys.readouterr())

    return run


@pytest.fixture
def outbox(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """Orders that were given, where no daemon runs that would take them."""
    sent: list[Asked] = []

    def order(source: FromLedger, asked: Asked) -> str:
        sent.append(asked)
        return "cmd-1"

    monkeypatch.setattr(FromLedger, "order", order)
    return sent


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "driftwake.yaml"
    file.write_text(CONFIG.format(folder=tmp_path / "data"))
    return file


@pytest.fixture
def place(config: Path) -> Place:
    """One closed incident in the ledger."""
    return _place(config, "closed")


@pytest.fixture
def waiting(config: Path) -> Place:
    """One incident whose plan waits for approval."""
    return _place(config, "awaiting_approval")


def _place(config: Path, state: State) -> Place:
    folder = config.parent / "data"
    folder.mkdir()
    with open_ledger(folder / "ledger.sqlite") as ledger:
        incident = through(ledger, opened(ledger, "e1", START_MS), until=state)
    return Place(config, folder, incident.id, incident.plan_digest or "")
