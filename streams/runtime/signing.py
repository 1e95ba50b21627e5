"""Ed25519 signatures (RFC 8032): who may say what is deployed. One side has the private key, all others only public ones."""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from streams.contracts.errors import ConfigError
from streams.runtime.once import write_once

PRIVATE_FILE, PUBLIC_FILE = "deployments.pem", "deployments.pub"


class Signer:
    """Signs with a private key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @property
    def public(self) -> str:
        """The public key that verifies what this signs: 32 bytes in base64."""
        return base64.b64encode(self._key.public_key().public_bytes_raw()).decode()

    def sign(self, message: bytes) -> bytes:
        """Return the signature, 64 bytes."""
        return self._key.sign(message)


class Verifier:
    """Verifies with public keys; any of them will do, so that keys can be changed without a moment between.

    Args:
        public_keys: each 32 bytes in base64.

    Raises:
        ConfigError: one isn't a key, or there is none.
    """

    def __init__(self, public_keys: Iterable[str]) -> None:
        self._keys = [public_key(text) for text in public_keys]
        if not self._keys:
            raise ConfigError(["trust.deployment_keys: no public key is known, so no deployment could be believed"])

    def holds(self, message: bytes, signature: bytes) -> bool:
        """Whether one of the keys' owners has signed the message."""
        for key in self._keys:
            with contextlib.suppress(InvalidSignature):
                key.verify(signature, message)
                return True
        return False


def public_key(text: str) -> Ed25519PublicKey:
    """Read a public key.

    Raises:
        ConfigError: it isn't one.
    """
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text.strip(), validate=True))
    except (ValueError, binascii.Error):
        raise ConfigError(
            [f"trust.deployment_keys: {text.strip()[:60]!r} isn't an Ed25519 public key (32 bytes, base64)"]
        ) from None


def key_in(folder: Path) -> Signer:
    """Return the private key of a folder; make one, with its public key beside it, where there is none.

    The private key is readable by its owner only. Two processes that start at once end up with the same key.

    Raises:
        ConfigError: the file isn't a key.
    """
    private = folder / PRIVATE_FILE
    if not private.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            write_once(private, Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    try:
        key = load_pem_private_key(private.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError([f"{private}: not a private key that can be read: {error}"]) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError([f"{private}: an Ed25519 key is needed; move this file away, then a new one is made"])
    signer = Signer(key)
    public = folder / PUBLIC_FILE
    if not public.exists() or public.read_text().strip() != signer.public:
        public.write_text(signer.public + "\n")
    return signer


def verifier_of(folder: Path, public_keys: Iterable[str]) -> Verifier:
    """Return a verifier for the keys that a config names, or for the one in the folder when it names none.

    Raises:
        ConfigError: there is none, or one isn't a key.
    """
    given = tuple(public_keys)
    if given:
        return Verifier(given)
    public = folder / PUBLIC_FILE
    if not public.exists():
        finding = (
            f"trust.deployment_keys: no public key is named and there is none in {folder}: start the daemon with this "
            "data_dir first, or name the key that `driftwake key` shows where the daemon runs"
        )
        raise ConfigError([finding])
    return Verifier([public.read_text()])
