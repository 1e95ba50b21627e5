"""Settings of the Claude planner: who is asked, how long, and what that may cost."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator, model_validator

from streams.runtime.config import Section
from streams.runtime.durations import Duration

_PRICES = frozenset({"dollars_per_million_in", "dollars_per_million_out"})
_LOOPBACK = ("http://127.0.0.1:", "http://localhost:", "http://[::1]:")


class ClaudeConfig(Section):
    """How Claude is asked for plans, where `planning.planner` is `claude`, and what that may cost."""

    llm: str = Field(default="claude-sonnet-5-5", pattern=r"^[A-Za-z0-9][A-Za-z0-9.@:_/-]{0,127}$")
    """Name of the Claude model. Prices must be those of the model that is named here."""

    key_variable: str = Field(default="ANTHROPIC_API_KEY", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")
    """Environment variable of the daemon that holds the API key."""

    key_file: Path | None = None
    """File that holds the API key and nothing else; it is read for each incident and goes before the variable."""

    url: str = "https://api.anthropic.com"
    """Where the Messages API is. Without TLS only on loopback: the key travels with every request."""

    max_turns: int = Field(default=6, ge=2, le=20)
    """How often Claude is asked about one incident; the last two times only for the plan and its repair."""

    max_tokens: int = Field(default=4_000, ge=256, le=16_000)
    """Most tokens of one answer. One that would be longer is cut, and not used."""

    deadline: Duration = Duration.of("2m")
    """Wall time for all that is asked about one incident, pauses included."""

    stall: Duration = Duration.of("30s")
    """Wall time without a byte after which a call is given up."""

    retries: int = Field(default=2, ge=0, le=5)
    """How often a call is made again that failed for a reason that may pass."""

    longest_pause: Duration = Duration.of("10s")
    """Longest wait before that. A server that asks for a longer one isn't waited for."""

    failures: int = Field(default=3, ge=1, le=100)
    """After so many incidents in a row without a plan, Claude isn't asked for the time of `rest`."""

    rest: Duration = Duration.of("1h")
    """Wall time for which Claude isn't asked then; the next incident after it is a trial."""

    dollars_per_30d: float = Field(default=5.0, ge=0)
    """What calls about this model may cost in 30 days of wall time. Before each call the most that it can cost is set aside."""

    dollars_per_million_in: float = Field(default=2.0, ge=0)
    """Price of a million tokens that are sent."""

    dollars_per_million_out: float = Field(default=10.0, ge=0)
    """Price of a million tokens that are answered."""

    cache_write_factor: float = Field(default=1.25, ge=0)
    """Times the price of sending, for tokens that are put into the cache of prompts for five minutes."""

    cache_read_factor: float = Field(default=0.1, ge=0)
    """Times the price of sending, for tokens that are read from it."""

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        if not url.startswith(("https://", *_LOOPBACK)):
            raise ValueError("must begin with https:// (http:// only on loopback), because the API key is sent there")
        return url

    @model_validator(mode="after")
    def _check_prices(self) -> ClaudeConfig:
        given = self.model_fields_set
        if "llm" in given and self.llm != type(self).model_fields["llm"].default and not given >= _PRICES:
            raise ValueError(f"the prices given are not those of {self.llm}: set {' and '.join(sorted(_PRICES))} too")
        return self
