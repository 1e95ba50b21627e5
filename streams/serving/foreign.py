"""Rows that another server has answered: with what, and with which bundle, by the version that it names."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.dialects.base import AnsweredRow

UNKNOWN_VERSION = "unknown_version"
_DIGITS = re.compile(r"[0-9a-f]{12,64}")


class Foreign(NamedTuple):
    """What another server says of some rows, each [rows]: its scores, and the digests of the champions that gave them.

    A digest is None where the row names no version, or one that is none of the champions; `unknown` are the latter's places.
    """

    scores: NDArray[np.float64] | None = None
    champions: Sequence[str | None] = ()
    unknown: Sequence[int] = ()


class Versions:
    """The versions of one model.

    Args:
        named: digests by the names that the config gives.
    """

    def __init__(self, named: Mapping[str, str]) -> None:
        self._named = named

    def read(self, rows: Sequence[AnsweredRow], champions: Collection[str]) -> Foreign:
        """Say who answered rows, given the digests of all champions that there are."""
        of_version = {version: self._champion(version, champions) for version in {row.version for row in rows}}
        found = [of_version[row.version] for row in rows]
        unknown = [place for place, row in enumerate(rows) if row.version is not None and found[place] is None]
        return Foreign(np.array([row.score for row in rows], np.float64), found, unknown)

    def _champion(self, version: str | None, champions: Collection[str]) -> str | None:
        digest = self._named.get(version or "", version)
        if digest is None or digest in champions:
            return digest
        if _DIGITS.fullmatch(digest) is None:
            return None
        found = [champion for champion in champions if champion.startswith(digest)]
        return found[0] if len(found) == 1 else None
