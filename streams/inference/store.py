"""The bundle store: one folder per bundle at `{root}/{model}/{digest}`, content-addressed and immutable.

Nothing in it is trusted: whoever opens a bundle hashes the very bytes that are then used.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow as pa
from onnx import ModelProto
from pyarrow import parquet

from streams.contracts.bundle import (
    MANIFEST_FILE,
    MODEL_FILE,
    PROFILE_FILE,
    REFERENCE_FILE,
    Manifest,
    Profile,
    decode_manifest,
    encode_manifest,
)
from streams.contracts.errors import BundleRefused, ContractError
from streams.inference.checks import MAX_BYTES

FILES = (MODEL_FILE, REFERENCE_FILE, PROFILE_FILE)

_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Bundle(NamedTuple):
    """A verified bundle: its manifest, and the bytes of the files that serving reads."""

    digest: str
    manifest: Manifest
    model: bytes
    profile: Profile


class BundleStore:
    """Reads and publishes bundles under `root` (a local folder; made when something is published)."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def root(self) -> Path:
        """The folder of all bundles."""
        return self._root

    def path(self, model: str, digest: str) -> Path:
        """Return the folder of a bundle, whether it is there or not.

        Raises:
            BundleRefused: the model's name or the digest can't be part of a path.
        """
        if _MODEL_NAME.fullmatch(model) is None:
            raise BundleRefused(f"model name {model!r}: use letters, digits, dots, dashes and underscores")
        if _DIGEST.fullmatch(digest) is None:
            raise BundleRefused(f"digest {digest[:80]!r}: expected 64 hex digits")
        return self._root / model / digest

    def read(self, model: str, digest: str) -> Bundle:
        """Read a bundle and verify every file of it.

        Raises:
            BundleRefused: a file is missing, altered, too large or unreadable, or the bundle is another model's.
        """
        bundle = read_folder(self.path(model, digest))
        if bundle.digest != digest:
            raise BundleRefused(f"manifest: its digest is {bundle.digest}, not {digest}")
        if bundle.manifest.model != model:
            raise BundleRefused(f"manifest: the bundle is for model {bundle.manifest.model!r}, not {model!r}")
        return bundle

    def verify(self, model: str, digest: str) -> Manifest:
        """Verify every file of a bundle and return its manifest.

        Raises:
            BundleRefused: as for `read`.
        """
        return self.read(model, digest).manifest

    def read_manifest(self, model: str, digest: str) -> Manifest:
        """Read a bundle's manifest alone, verified by the digest.

        Raises:
            BundleRefused: it is missing, altered or unreadable.
        """
        data = _bytes_of(self.path(model, digest) / MANIFEST_FILE)
        if hashlib.sha256(data).hexdigest() != digest:
            raise BundleRefused(f"{MANIFEST_FILE}: its digest isn't {digest}")
        return _manifest_of(data)

    def lake_versions(self, model: str) -> dict[str, set[int]]:
        """Return the versions of the lake's tables that a model's bundles were trained on, by table.

        A manifest that is altered or unreadable names none: it serves nobody either.

        Raises:
            BundleRefused: the store has no folder of that model.
        """
        folder = self.path(model, "0" * 64).parent
        if not folder.is_dir():
            raise BundleRefused(f"the registry has no bundles of {model}")
        found: dict[str, set[int]] = {}
        for digest in sorted(place.name for place in folder.iterdir() if _DIGEST.fullmatch(place.name)):
            with contextlib.suppress(BundleRefused):
                for table, version in self.read_manifest(model, digest).lake_versions.items():
                    found.setdefault(table, set()).add(version)
        return found

    def read_reference(self, model: str, digest: str) -> pa.Table:
        """Read a bundle's reference sample.

        Raises:
            BundleRefused: it is missing, altered or unreadable.
        """
        manifest = self.read_manifest(model, digest)
        data = _verified(self.path(model, digest), REFERENCE_FILE, manifest)
        try:
            return parquet.read_table(io.BytesIO(data))
        except (pa.ArrowException, OSError) as error:
            raise BundleRefused(f"{REFERENCE_FILE}: {error}") from error

    def publish(self, model: str, folder: Path) -> str:
        """Copy a bundle's folder into the store and return its digest; a bundle that is there already stays as it is.

        The bundle appears at once or not at all: it is copied beside its place and renamed.

        Raises:
            BundleRefused: the folder isn't a whole bundle of this model.
        """
        digest = read_folder(folder).digest
        place = self.path(model, digest)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            beside = Path(tempfile.mkdtemp(prefix=".publishing-", dir=place.parent))
            try:
                for name in (MANIFEST_FILE, *FILES):
                    _copy(folder / name, beside / name)
                self._settle(beside, place)
            finally:
                shutil.rmtree(beside, ignore_errors=True)
        self.verify(model, digest)
        return digest

    def _settle(self, beside: Path, place: Path) -> None:
        beside.chmod(0o755)
        try:
            beside.rename(place)
        except OSError:
            # Somebody else published the same bundle meanwhile: the same digest has the same files.
            if not place.exists():
                raise
        _sync(place.parent)


def read_folder(folder: Path) -> Bundle:
    """Read the bundle that lies in `folder`, wherever it is, and verify its files.

    Raises:
        BundleRefused: a file is missing, altered, too large or unreadable.
    """
    data = _bytes_of(folder / MANIFEST_FILE)
    manifest = _manifest_of(data)
    if set(manifest.sha256) != set(FILES):
        raise BundleRefused(f"{MANIFEST_FILE}: sha256 must name exactly {', '.join(FILES)}")
    files = {name: _verified(folder, name, manifest) for name in FILES}
    try:
        profile = msgspec.json.decode(files[PROFILE_FILE], type=Profile)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BundleRefused(f"{PROFILE_FILE}: {error}") from error
    return Bundle(hashlib.sha256(data).hexdigest(), manifest, files[MODEL_FILE], profile)


def write_bundle(
    folder: Path, manifest: Manifest, model: ModelProto | bytes, reference: pa.Table | bytes, profile: Profile
) -> str:
    """Write the four files of a bundle into `folder` (made when missing) and return the digest.

    The manifest's `sha256` is filled in here. `reference` is a table, or the bytes of a Parquet file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        MODEL_FILE: model if isinstance(model, bytes) else model.SerializeToString(deterministic=True),
        REFERENCE_FILE: reference if isinstance(reference, bytes) else _parquet(reference),
        PROFILE_FILE: msgspec.json.encode(profile, order="deterministic"),
    }
    manifest = msgspec.structs.replace(manifest, sha256={name: hashlib.sha256(data).hexdigest() for name, data in files.items()})
    for name, data in {**files, MANIFEST_FILE: encode_manifest(manifest)}.items():
        (folder / name).write_bytes(data)
    return manifest.digest


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _bytes_of(file: Path) -> bytes:
    try:
        if file.is_symlink() or not file.is_file():
            raise BundleRefused(f"{file.name}: no such file in the bundle")
        if file.stat().st_size > MAX_BYTES:
            raise BundleRefused(f"{file.name}: larger than {MAX_BYTES} bytes")
        return file.read_bytes()
    except OSError as error:
        raise BundleRefused(f"{file.name}: {error.strerror}") from error


def _verified(folder: Path, name: str, manifest: Manifest) -> bytes:
    data = _bytes_of(folder / name)
    if hashlib.sha256(data).hexdigest() != manifest.sha256.get(name):
        raise BundleRefused(f"{name}: its SHA-256 isn't the one in the manifest")
    return data


def _manifest_of(data: bytes) -> Manifest:
    try:
        return decode_manifest(data)
    except (msgspec.MsgspecError, ContractError, UnicodeDecodeError, RecursionError) as error:
        raise BundleRefused(f"{MANIFEST_FILE}: {error}") from error


def _copy(source: Path, target: Path) -> None:
    with target.open("wb") as file:
        file.write(_bytes_of(source))
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
