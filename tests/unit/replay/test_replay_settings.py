"""What a replay makes of a user's config."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.replay.run import Request, _settings
from daemon.settings import DaemonSettings
from streams.runtime.config import load

CONFIG = """
models:
  - name: payments
    schema: {columns: [{name: amount, kind: number}, {name: card, kind: category, role: key, tags: [pii]}]}
"""


def request(folder: Path, text: str = CONFIG) -> Request:
    (folder / "config.yaml").write_text(text)
    (folder / "data").mkdir()
    return Request(folder / "config.yaml", "payments", folder / "log", {}, folder / "data", folder / "report", 30, 3_600_000)


@pytest.mark.parametrize("by_environment", ["key_file", ""])
def test_what_is_called_by_hand_hashes_by_the_key_of_the_stages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_environment: str
):
    if by_environment:
        monkeypatch.setenv("DRIFTWAKE__PROTECTION__KEY_FILE", str(tmp_path / "named.key"))
    by_hand, file = _settings(request(tmp_path), "0" * 64)
    expected = tmp_path / "named.key" if by_environment else tmp_path / "data" / "keys" / "columns.key"
    assert by_hand.hash_key_file.resolve() == load(DaemonSettings, file).settings.hash_key_file.resolve() == expected.resolve()
