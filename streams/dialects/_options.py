"""What users may say of their records, checked when the configuration is read."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from streams.contracts.errors import ContractError
from streams.dialects.base import Options

Said = TypeVar("Said", bound=msgspec.Struct)


def check_none(kind: str, options: Options) -> None:
    """Refuse options for a kind that has none.

    Raises:
        ContractError: there are some.
    """
    if options:
        raise ContractError(f"the dialect {kind} takes no options; remove {', '.join(sorted(options))}")


def said(kind: str, options: Options, wanted: type[Said]) -> Said:
    """Return the options of a kind as it wants them.

    Raises:
        ContractError: one is unknown or of a wrong type.
    """
    try:
        return msgspec.convert(dict(options), wanted)
    except msgspec.ValidationError as error:
        raise ContractError(f"options of the dialect {kind}: {error}") from error
