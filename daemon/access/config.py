"""Settings of access: who is believed, and where the daemon listens."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, field_validator, model_validator

from streams.runtime.config import Section, environment
from streams.runtime.telemetry import LOOPBACK

TOKENS_VARIABLE: Final = "DRIFTWAKE_ACCESS_TOKENS"
"""Environment variable of the daemon that holds what a token file would."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


class AccessConfig(Section):
    """Who may look on and give orders over HTTP."""

    tokens: Path | None = None
    """File that lists who may do what, by the hash of each token (`driftwake token new` writes an entry); it is read again when
    it changes. None, and nothing in `DRIFTWAKE_ACCESS_TOKENS`: one token that may all is made under `data_dir`, for local use."""

    host: str = LOOPBACK
    """Address to listen on. Beyond loopback a token file is needed, and something in front that ends TLS."""

    port: int = Field(default=0, ge=0, le=65_535)
    """Port; 0 takes a free one, which the command line finds by itself."""

    hosts: tuple[str, ...] = ()
    """Names under which callers reach it from elsewhere; whoever calls it by another name is refused, as a page would be that a
    browser was led to by a false name (DNS rebinding). Loopback's own names need no mention."""

    topic_role: Literal["viewer", "operator"] = "operator"
    """What commands may that come over Kafka, where nobody proves who he is: `operator` lets pipelines hand in bundles, freeze
    and roll back, `viewer` nothing. Approving, lifting a freeze and forcing take a token."""

    @property
    def is_exposed(self) -> bool:
        """Whether others than this machine can reach it."""
        return not ipaddress.ip_address(self.host).is_loopback

    @field_validator("hosts")
    @classmethod
    def _check_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        wrong = next((name for name in hosts if _NAME.fullmatch(name) is None), None)
        if wrong is not None:
            raise ValueError(f"{wrong!r} isn't a host's name in lower case, without scheme, port and path")
        return hosts

    @field_validator("host")
    @classmethod
    def _check_host(cls, host: str) -> str:
        try:
            return str(ipaddress.ip_address(host))
        except ValueError:
            raise ValueError(f"must be an IP address, for instance {LOOPBACK}, not {host!r}") from None

    @model_validator(mode="after")
    def _check_beyond_loopback(self) -> AccessConfig:
        if not self.is_exposed:
            return self
        if self.tokens is None and TOKENS_VARIABLE not in environment():
            raise ValueError(
                f"listening on {self.host}, beyond loopback, needs a token file: name it as `access.tokens`, and let something "
                "in front end TLS, for tokens would go over the network as they are"
            )
        if not self.hosts:
            raise ValueError(f"listening on {self.host} needs the names that callers use: list them as `access.hosts`")
        return self
