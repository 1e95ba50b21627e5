"""Where a lake lies: a folder, or a URL of an object store, as settings and skills' arguments write it."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

SCHEMES: Final = ("file", "s3", "s3a", "gs", "az", "abfs", "abfss")
CREDENTIALS: Final = ("AWS_", "GOOGLE_", "AZURE_")
"""Beginnings of the environment variables from which an object store is opened."""


def folder_of(place: Path | str) -> Path | None:
    """Return the folder on this machine that a place is, None for an object store."""
    scheme, sign, _ = str(place).partition("://")
    if not sign:
        return Path(place)
    return Path(url2pathname(urlsplit(str(place)).path)) if scheme == "file" else None


def checked(place: str) -> str:
    """Return a place if it is one.

    Raises:
        ValueError: the URL's scheme isn't known, or more stands in it than where the tables are.
    """
    scheme, sign, _ = place.partition("://")
    if not sign:
        return place
    if scheme not in SCHEMES:
        raise ValueError(f"must be a folder or a URL that begins with {', '.join(SCHEMES)}, not {scheme!r}")
    parts = urlsplit(place)
    if (parts.hostname is None) != (scheme == "file"):
        raise ValueError("must name a bucket or container behind the scheme; after file: three slashes")
    if parts.password is not None or parts.query or parts.fragment or (parts.username and not scheme.startswith("abfs")):
        raise ValueError(f"only says where the tables are; what opens it comes from the environment ({'*, '.join(CREDENTIALS)}*)")
    return place
