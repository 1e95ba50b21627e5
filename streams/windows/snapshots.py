"""The online state in a file, so that a process that begins anew needn't fold a month of facts again."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import numpy as np

from streams.contracts.errors import SnapshotError
from streams.contracts.features import Window
from streams.contracts.schema import OWN_FACTS, ModelSchema
from streams.windows.keys import Coded
from streams.windows.online import Held, Image, WindowState
from streams.windows.runs import Run

FORMAT: Final = 1
_HEADER: Final = "header"


class _Keys(msgspec.Struct, array_like=True):
    keys: list[Any]
    codes: list[int]
    free: list[int]
    given: int


class _Store(msgspec.Struct, array_like=True):
    runs: int
    origin_ms: int
    floor_ms: int
    swept_ms: int


class _Header(msgspec.Struct):
    format: int
    windows: str
    note: bytes
    keys: list[_Keys]
    stores: list[_Store]


def identity(specs: Sequence[Window], schema: ModelSchema, skew_ms: int) -> str:
    """Return a digest of what decides the layout of a state: windows in order, columns and their kinds, skew."""
    said: list[Any] = [FORMAT, [spec.name for spec in dict.fromkeys(specs)], [(c.name, c.kind) for c in schema.columns], skew_ms]
    if looked_up := {spec.source for spec in specs} - {*OWN_FACTS}:
        said.append([(name, c.name, c.kind) for name in sorted(looked_up) for c in schema.columns_of(name)])
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()


def write(path: Path, image: Image, windows: str, note: bytes) -> None:
    """Write an image and a note (say, how far its sources were read) in one step: a reader sees the old file or the new one.

    Args:
        path: the file.
        image: of the state; keys are text and numbers.
        windows: the `identity` of what it is an image of.
        note: what belongs to it.
    """
    header = _Header(
        format=FORMAT,
        windows=windows,
        note=note,
        keys=[_Keys(list(part.keys), list(part.codes), list(part.free), part.given) for part in image.keys],
        stores=[
            _Store(len(held.runs), held.runs[0].origin_ms if held.runs else 0, held.floor_ms, held.swept_ms)
            for held in image.stores
        ],
    )
    arrays: dict[str, Any] = {_HEADER: np.frombuffer(msgspec.msgpack.encode(header, enc_hook=float), np.uint8)}
    for number, held in enumerate(image.stores):
        for place, run in enumerate(held.runs):
            arrays[f"at{number}_{place}"], arrays[f"values{number}_{place}"] = run.at, run.values
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = draft_of(path)
    try:
        # Only for who runs this: keys are values of the model's rows.
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def draft_of(path: Path) -> Path:
    """Return the file that is there while another is written."""
    return path.with_name(f"{path.name}.draft")


def read(path: Path, specs: Sequence[Window], schema: ModelSchema, skew_ms: int) -> tuple[WindowState, bytes]:
    """Return the state of these windows as it was written, and its note.

    Raises:
        SnapshotError: there is none, it is damaged, or of other windows.
    """
    state = WindowState(specs, schema, skew_ms)
    try:
        with path.open("rb") as file:
            header, image = _image(file, identity(specs, schema, skew_ms))
        state.restore(image)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, msgspec.MsgspecError) as error:
        raise SnapshotError(f"snapshot {path.name}: {error}") from error
    return state, header.note


def _image(file: BinaryIO, windows: str) -> tuple[_Header, Image]:
    # The checksums of the archive cover every array; nothing in it is a Python object.
    with np.load(file, allow_pickle=False) as arrays:
        header = msgspec.msgpack.decode(arrays[_HEADER].tobytes(), type=_Header)
        if (header.format, header.windows) != (FORMAT, windows):
            raise ValueError("it is of other windows, columns or skew, or of another version of driftwake")
        stores = [_held(arrays, number, store) for number, store in enumerate(header.stores)]
    keys = [Coded([_key(key) for key in part.keys], part.codes, part.free, part.given) for part in header.keys]
    return header, Image(keys, stores)


def _held(arrays: Mapping[str, Any], number: int, store: _Store) -> Held:
    names = [f"{number}_{place}" for place in range(store.runs)]
    runs = [Run(arrays[f"at{name}"], arrays[f"values{name}"], store.origin_ms) for name in names]
    return Held(runs, store.floor_ms, store.swept_ms)


def _key(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key
