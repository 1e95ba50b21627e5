"""What an incident's story says to a person at night."""

from __future__ import annotations

import io

import msgspec

from daemon.commands.explaining import story_of
from daemon.commands.screen import Screen
from daemon.commands.telling import tell
from daemon.ledger.ledger import open_ledger
from tests.kit.command_line import Place


def test_a_column_in_another_unit_is_told_with_what_undoes_it(place: Place) -> None:
    cents = {"feature": "amount", "factor": 100.0, "offset": 0.0, "since_ms": 0, "until_ms": 86_400_000}
    degrees = {**cents, "feature": "temp", "factor": 1.8, "offset": 32.0}
    numbers = {"share": 0.984, "psi": 7.25, "psi_undone": 0.011}
    with open_ledger(place.folder / "ledger.sqlite") as ledger:
        story, output = story_of(ledger, ledger.incident(place.incident)), io.StringIO()
    tell(msgspec.structs.replace(story, diagnosis={"rescaled": [cents | numbers, degrees | numbers]}), Screen(output))
    said = " ".join(output.getvalue().split())
    assert "amount looks as if in another unit, 100 times its usual values, in 98% of the rows from 1970-01-01T00:00" in said
    assert "converted back its PSI is 0.011, as it came 7.25" in said
    assert "temp looks as if in another unit, 1.8 times its usual values plus 32, in 98%" in said
