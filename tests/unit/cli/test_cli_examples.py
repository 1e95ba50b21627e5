"""The example configs are valid as they stand: people copy them."""

from pathlib import Path

import pytest

from daemon.settings import DaemonSettings
from streams.runtime.config import load

FOLDER = Path(__file__).parents[3] / "deploy" / "examples"
EXAMPLES = sorted(FOLDER.glob("*.yaml"))


def test_there_are_examples() -> None:
    assert EXAMPLES


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_is_valid(file: Path) -> None:
    assert load(DaemonSettings, file, {}).settings.models
