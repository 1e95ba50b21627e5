"""Tokens: who is believed, until when, and what a file must be that says so."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.access.attempts import Attempts
from daemon.access.config import TOKENS_VARIABLE, AccessConfig
from daemon.access.entries import entry_lines
from daemon.access.roles import Role
from daemon.access.secret import TokensError, digest_of, is_token, make_local, new_token, read_secret
from daemon.access.tokens import Identity, Tokens, tokens_of
from streams.contracts.errors import ConfigError
from streams.runtime.logging import logging_to
from tests.kit.api_world import HandClock, write_tokens

TOKEN, OTHER = new_token(), new_token()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.yaml"


@pytest.fixture(autouse=True)
def logs(tmp_path: Path) -> Iterator[Path]:
    with logging_to(tmp_path / "logs", "test"):
        yield tmp_path / "logs" / "test.jsonl"


def opened(file: Path, clock: HandClock) -> Tokens:
    return tokens_of(AccessConfig(tokens=file), file.parent / "keys", clock)


def test_tokens_are_long_and_never_the_same() -> None:
    made = {new_token() for _ in range(100)}
    assert len(made) == 100
    assert all(is_token(one) and len(one) == 46 for one in made)
    for no_token in ("", TOKEN[:-1], TOKEN + "a", TOKEN + "\n", "xx_" + TOKEN[3:], TOKEN[:-1] + "é", TOKEN[:-1] + "="):
        assert not is_token(no_token)


def test_who_is_in_the_file_is_believed(file: Path, clock: HandClock) -> None:
    write_tokens(file, entry_lines(TOKEN, name="ann", role="approver", models=("parcels",)))
    tokens = opened(file, clock)
    who = tokens.identity(TOKEN)
    assert who == Identity("ann", "approver", frozenset({"parcels"}))
    assert who is not None
    assert who.sees("parcels")
    assert not who.sees("letters")
    assert Identity("bob", "viewer").sees("letters")
    for nobody in (OTHER, "", digest_of(TOKEN), TOKEN.upper()):
        assert tokens.identity(nobody) is None
    assert TOKEN not in file.read_text()


def test_where_others_keep_their_models_too_a_token_without_a_list_is_for_the_daemons_own(file: Path, clock: HandClock) -> None:
    write_tokens(file, entry_lines(TOKEN, name="ann", role="approver"), entry_lines(OTHER, name="bob", role="admin"))
    tokens = tokens_of(AccessConfig(tokens=file), file.parent / "keys", clock, frozenset({"parcels"}))
    assert tokens.identity(TOKEN) == Identity("ann", "approver", frozenset({"parcels"}))
    assert tokens.identity(OTHER) == Identity("bob", "admin"), "who may all may see all"
    roles: tuple[tuple[str, Role], ...] = ((TOKEN, "viewer"), (OTHER, "admin"))
    write_tokens(file, *(entry_lines(one, name="ann", role=role, models=("freight",)) for one, role in roles))
    for one in (TOKEN, OTHER):
        who = tokens.identity(one)
        assert who is not None
        assert who.models == {"freight"}, "a list says it, whosever models they are"


def test_a_token_is_void_from_its_time_on(file: Path, clock: HandClock) -> None:
    write_tokens(file, [*entry_lines(TOKEN, name="ann", role="admin"), "  expires: 2027-01-02"])
    tokens = opened(file, clock)
    clock.passed = 86_400 - 1
    assert tokens.identity(TOKEN) is not None
    clock.passed = 86_400
    assert tokens.identity(TOKEN) is None


def test_taking_somebody_out_of_the_file_takes_effect_at_once(file: Path, clock: HandClock) -> None:
    write_tokens(file, entry_lines(TOKEN, name="ann", role="admin"), entry_lines(OTHER, name="bob", role="viewer"))
    tokens = opened(file, clock)
    assert tokens.identity(TOKEN) is not None
    write_tokens(file, entry_lines(OTHER, name="bob", role="operator"))
    assert tokens.identity(TOKEN) is None
    assert tokens.identity(OTHER) == Identity("bob", "operator")


def test_one_name_may_have_two_tokens_while_one_replaces_the_other(file: Path, clock: HandClock) -> None:
    write_tokens(file, entry_lines(TOKEN, name="ann", role="viewer"), entry_lines(OTHER, name="ann", role="viewer"))
    tokens = opened(file, clock)
    assert tokens.identity(TOKEN) == tokens.identity(OTHER) == Identity("ann", "viewer")


@pytest.mark.parametrize("mode", [0o660, 0o646, 0o666, 0o602])
def test_a_file_that_others_can_write_is_refused(file: Path, clock: HandClock, mode: int) -> None:
    write_tokens(file, entry_lines(TOKEN, name="ann", role="admin"))
    file.chmod(mode)
    with pytest.raises(ConfigError, match=r"others can write .*make themselves admin: `chmod go-w` it"):
        opened(file, clock)


def test_a_file_that_becomes_unusable_lets_nobody_in_until_it_is_usable_again(file: Path, clock: HandClock, logs: Path) -> None:
    good = entry_lines(TOKEN, name="ann", role="admin")
    write_tokens(file, good)
    tokens = opened(file, clock)
    for spoil in (lambda: file.chmod(0o666), lambda: file.write_text("tokens: [oops"), file.unlink):
        spoil()
        for _ in range(2):
            with pytest.raises(TokensError):
                tokens.identity(TOKEN)
        write_tokens(file, good)
        assert tokens.identity(TOKEN) is not None
    assert logs.read_text().count("TokensRefused") == 3, "once for each state of the file"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["- {name: ann, role: boss, sha256: HASH}"], "tokens[0].role: must be 'viewer', 'operator', 'approver' or 'admin'"),
        (["- {name: Ann, role: admin, sha256: HASH}"], "tokens[0].name"),
        (["- {name: driftwake, role: admin, sha256: HASH}"], "the name of what plans"),
        (["- {name: policy, role: admin, sha256: HASH}"], "the name of what plans"),
        (["- {name: ann, role: admin}"], "tokens[0].sha256: is required"),
        (["- {name: ann, role: admin, sha256: TOKEN}"], "never the token itself"),
        (["- {name: ann, role: admin, sha256: HASH, expires: 2027-01-02T10:00:00}"], "tokens[0].expires"),
        (["- {name: ann, role: admin, sha256: HASH, mail: x}"], "there is no such setting"),
        (["- {name: ann, role: admin, sha256: HASH}", "- {name: bob, role: viewer, sha256: HASH}"], "have the same token"),
    ],
)
def test_every_finding_says_what_to_do_and_never_shows_a_token(file: Path, clock: HandClock, lines: list[str], said: str) -> None:
    write_tokens(file, [line.replace("HASH", f'"{digest_of(TOKEN)}"').replace("TOKEN", TOKEN) for line in lines])
    with pytest.raises(ConfigError) as refused:
        opened(file, clock)
    assert said in str(refused.value)
    assert TOKEN not in str(refused.value)


def test_a_file_that_is_not_there_is_a_finding(file: Path, clock: HandClock) -> None:
    with pytest.raises(ConfigError, match=r"access.tokens: .*make it, or name another"):
        opened(file, clock)


def test_the_environment_can_hold_what_a_file_would(tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = "\n".join(entry_lines(TOKEN, name="ann", role="viewer"))
    monkeypatch.setenv(TOKENS_VARIABLE, f"tokens:\n{entry}\n")
    tokens = tokens_of(AccessConfig(), tmp_path / "keys", clock)
    assert tokens.identity(TOKEN) == Identity("ann", "viewer")
    assert not (tmp_path / "keys").exists(), "no other token is made"
    for wrong in ("tokens: [", "tokens: [{name: ann}]", "2027-99-99", TOKEN):
        monkeypatch.setenv(TOKENS_VARIABLE, wrong)
        with pytest.raises(ConfigError, match=TOKENS_VARIABLE) as refused:
            tokens_of(AccessConfig(), tmp_path / "keys", clock)
        assert TOKEN not in str(refused.value)


def test_the_machines_own_token_is_made_once_and_is_its_owners_alone(tmp_path: Path, clock: HandClock, logs: Path) -> None:
    tokens = tokens_of(AccessConfig(), tmp_path / "keys", clock)
    local = tmp_path / "keys" / "local.token"
    assert stat.S_IMODE(local.stat().st_mode) == 0o600
    token = read_secret(local)
    assert tokens.identity(token) == Identity("local", "admin")
    assert read_secret(make_local(tmp_path / "keys")) == token
    assert tokens_of(AccessConfig(), tmp_path / "keys", clock).identity(token) is not None
    local.chmod(0o640)
    with pytest.raises(TokensError) as refused:
        tokens.identity(token)
    assert "others can read this token" in str(refused.value)
    assert token not in str(refused.value) + logs.read_text()


def test_a_token_file_ends_the_machines_own_token(tmp_path: Path, file: Path, clock: HandClock) -> None:
    own = read_secret(make_local(tmp_path / "keys"))
    write_tokens(file, entry_lines(TOKEN, name="ann", role="admin"))
    assert opened(file, clock).identity(own) is None


def test_a_secret_is_read_from_where_only_its_owner_reads(tmp_path: Path) -> None:
    file = tmp_path / "mine"
    for content, mode, said in ((TOKEN, 0o644, "others can read"), ("hunter2", 0o600, "holds no token")):
        file.write_text(content)
        file.chmod(mode)
        with pytest.raises(TokensError, match=said) as refused:
            read_secret(file)
        assert content not in str(refused.value)
    with pytest.raises(TokensError, match="--token-file"):
        read_secret(tmp_path / "none")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(file: Path, clock: HandClock) -> None:
    write_tokens(file, entry_lines(TOKEN, name="ann", role="admin"))
    os.chown(file, 12_345, -1)
    with pytest.raises(ConfigError, match="belongs to another user"):
        opened(file, clock)


@pytest.mark.parametrize(
    ("access", "said"),
    [
        ({"host": "0.0.0.0"}, "needs a token file: name it as `access.tokens`, and let something in front end TLS"),  # noqa: S104
        ({"host": "192.0.2.7", "tokens": "t.yaml"}, "list them as `access.hosts`"),
        ({"host": "localhost"}, "must be an IP address"),
        ({"hosts": ["https://a.example"]}, "isn't a host's name"),
        ({"hosts": ["a.example:8080"]}, "isn't a host's name"),
        ({"topic_role": "approver"}, "'viewer' or 'operator'"),
    ],
)
def test_where_it_listens_must_be_safe(access: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match="validation error") as refused:
        AccessConfig.model_validate(access)
    assert said in str(refused.value)


def test_beyond_loopback_takes_a_token_file_and_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not AccessConfig().is_exposed
    assert not AccessConfig(host="::1").is_exposed
    assert AccessConfig(host="0.0.0.0", tokens=Path("t.yaml"), hosts=("driftwake.example",)).is_exposed  # noqa: S104
    monkeypatch.setenv(TOKENS_VARIABLE, "tokens: []")
    assert AccessConfig(host="192.0.2.7", hosts=("driftwake.example",)).is_exposed


def test_failures_are_counted_by_address_for_a_time(clock: HandClock) -> None:
    attempts = Attempts(clock, most=3, seconds=60)
    assert [attempts.fail("a") for _ in range(5)] == [0, 0, 0, 60, 60]
    assert attempts.fail("b") == 0
    clock.passed = 59
    assert attempts.fail("a") == 1
    clock.passed = 60
    assert [attempts.fail("a") for _ in range(4)] == [0, 0, 0, 60]


def test_what_is_remembered_of_addresses_is_bounded(clock: HandClock) -> None:
    attempts = Attempts(clock, most=1)
    for number in range(5_000):
        attempts.fail(str(number))
    assert len(attempts._failed) == 1_000
    assert attempts.fail("4999") > 0
    assert attempts.fail("0") == 0, "the oldest was forgotten"
