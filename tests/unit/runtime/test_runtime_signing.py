"""Keys in files: made once, private to their owner, and every wrong one refused with what to do."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from streams.contracts.errors import ConfigError
from streams.runtime.signing import PRIVATE_FILE, PUBLIC_FILE, Verifier, key_in, verifier_of


def test_a_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    with ThreadPoolExecutor(8) as pool:
        publics = {signer.public for signer in pool.map(key_in, [folder] * 8)}
    assert publics == {key_in(folder).public}
    assert stat.S_IMODE((folder / PRIVATE_FILE).stat().st_mode) == 0o600
    assert {file.name for file in folder.iterdir()} == {PRIVATE_FILE, PUBLIC_FILE}


def test_what_is_signed_here_is_verified_there_and_nothing_else(tmp_path: Path) -> None:
    signer, other = key_in(tmp_path / "here"), key_in(tmp_path / "elsewhere")
    by_file, by_name = verifier_of(tmp_path / "here", ()), verifier_of(tmp_path, [other.public, signer.public])
    for verifier in (by_file, by_name):
        assert verifier.holds(b"message", signer.sign(b"message"))
        assert not verifier.holds(b"massage", signer.sign(b"message"))
        assert not verifier.holds(b"message", b"")
    assert not by_file.holds(b"message", other.sign(b"message"))
    assert by_name.holds(b"message", other.sign(b"message"))


def test_a_lost_public_key_is_written_again(tmp_path: Path) -> None:
    signer = key_in(tmp_path)
    (tmp_path / PUBLIC_FILE).unlink()
    assert key_in(tmp_path).public == signer.public
    assert verifier_of(tmp_path, ()).holds(b"m", signer.sign(b"m"))


@pytest.mark.parametrize("text", ["", "no key", "AAAA", "A" * 44])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"trust\.deployment_keys"):
        Verifier([text])


def test_without_any_key_it_says_where_one_comes_from(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="driftwake key"):
        verifier_of(tmp_path, ())


def test_a_file_that_is_no_key_or_another_kind_is_refused_and_kept(tmp_path: Path) -> None:
    other = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content in (b"junk", other):
        (tmp_path / PRIVATE_FILE).write_bytes(content)
        with pytest.raises(ConfigError, match=PRIVATE_FILE):
            key_in(tmp_path)
        assert (tmp_path / PRIVATE_FILE).read_bytes() == content
