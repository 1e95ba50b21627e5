"""Secrets in a config and in the environment: whatever is wrong with them, nothing that is shown repeats them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from daemon.commands.configuring import config_schema, explain_config
from daemon.planners._claude.config import ClaudeConfig
from daemon.planners._claude.key import key_in
from daemon.settings import DaemonSettings
from streams.contracts.errors import ConfigError
from streams.runtime.config import load
from streams.runtime.protection import read_key

CONFIG = """\
data_dir: data
ledger: {{{ledger}}}
models:
  - name: parcels
    schema: {{columns: [{{name: weight, kind: number}}]}}
"""
GOOD = "4d" * 32
BAD = ("canary-91x", "73571357", "[canary-91x]", "{canary-91x: 73571357}", f'"{GOOD.upper()}"', "1.7357e73", "true")
NEEDLES = ("canary-91x", "73571357", GOOD.upper(), "1.7357")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "driftwake.yaml"
    found.write_text(CONFIG.format(ledger=""))
    return found


def said_of(file: Path, variables: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as raised:
        load(DaemonSettings, file, variables)
    return str(raised.value)


@pytest.mark.parametrize("bad", BAD)
def test_a_key_that_is_none_is_refused_without_repeating_it(file: Path, bad: str) -> None:
    by_environment = said_of(file, {"DRIFTWAKE__LEDGER__AUDIT_KEY": bad})
    file.write_text(CONFIG.format(ledger=f"audit_key: {bad}"))
    for said in (by_environment, said_of(file, {})):
        assert "ledger.audit_key" in said
        assert not [needle for needle in NEEDLES if needle in said]


def test_a_key_is_explained_as_stars(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTWAKE__LEDGER__AUDIT_KEY", GOOD)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "canary-91x")
    settings = explain_config(file)
    told = {setting.path: setting.value for setting in settings}
    assert set(told["ledger.audit_key"]) == {"*"}
    for text in (str(settings), json.dumps(config_schema()), repr(load(DaemonSettings, file).settings)):
        assert not [needle for needle in (GOOD, "canary-91x") if needle in text]


@pytest.mark.parametrize(
    ("kind", "content"), list(itertools.product(["audit", "columns"], [b"canary-91x", b"\xff\xfe canary-91x", b""]))
)
def test_a_key_file_that_holds_none_is_refused_without_its_content(tmp_path: Path, kind: str, content: bytes) -> None:
    key = tmp_path / "key"
    key.write_bytes(content)
    file = tmp_path / "driftwake.yaml"
    file.write_text(CONFIG.format(ledger=f"audit_key_file: {key}"))
    settings = load(DaemonSettings, file, {}).settings
    if kind == "columns":
        with pytest.raises(ConfigError) as raised:
            read_key(key)
    else:
        with pytest.raises(ConfigError) as raised:
            settings.audit_key()
    assert str(key) in str(raised.value)
    assert "canary-91x" not in str(raised.value)


def test_an_api_key_is_one_line_of_plain_characters_or_none(tmp_path: Path) -> None:
    """Anything else would be written into a header."""
    config = ClaudeConfig()
    assert key_in(config, {"ANTHROPIC_API_KEY": " canary-91x\n"}) == "canary-91x"
    for bad in ("canary\r\nx-admin: 1", "canary 91x", "\u00fcber", "x" * 513, ""):
        assert key_in(config, {"ANTHROPIC_API_KEY": bad}) is None
    assert key_in(ClaudeConfig(key_file=tmp_path / "absent"), {"ANTHROPIC_API_KEY": "canary-91x"}) is None
