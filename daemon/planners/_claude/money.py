"""What a call costs: at most, before it is made, and what it did, by its usage. Pure."""

from __future__ import annotations

import json
from typing import Any, Final

from daemon.ledger.calls import Cost
from daemon.planners._claude.config import ClaudeConfig

MONTH_MS: Final = 30 * 86_400_000
# What the API adds to a request that has tools, which it says nowhere exactly; reported are a few hundred tokens.
_OVERHEAD_TOKENS: Final = 2_000
_MILLION: Final = 1_000_000
_MOST_TOKENS: Final = 1_000_000_000


def most(request: dict[str, Any], config: ClaudeConfig) -> Cost:
    """Return the most that a request can cost: a token is at least one byte of what is sent, and all may be cached."""
    sent = len(json.dumps(request)) + _OVERHEAD_TOKENS
    dearest = config.dollars_per_million_in * max(1.0, config.cache_write_factor, config.cache_read_factor)
    dollars = (sent * dearest + config.max_tokens * config.dollars_per_million_out) / _MILLION
    return Cost(tokens_in=sent, tokens_out=config.max_tokens, dollars=dollars)


def cost_of(usage: object, config: ClaudeConfig) -> Cost | None:
    """Return what a call cost by the usage that came back; None where that isn't one, so that nobody knows.

    `input_tokens` are those beside the cache: tokens written to it and read from it come on top, at their own prices.
    """
    sent, answered = _tokens(usage, "input_tokens"), _tokens(usage, "output_tokens")
    written, read = _tokens(usage, "cache_creation_input_tokens", 0), _tokens(usage, "cache_read_input_tokens", 0)
    if sent is None or answered is None or written is None or read is None:
        return None
    priced = sent + written * config.cache_write_factor + read * config.cache_read_factor
    dollars = (priced * config.dollars_per_million_in + answered * config.dollars_per_million_out) / _MILLION
    return Cost(sent, answered, read, written, dollars)


def _tokens(usage: object, name: str, absent: int | None = None) -> int | None:
    found = getattr(usage, name, None)
    if found is None:
        return absent
    is_count = isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= _MOST_TOKENS
    return found if is_count else None
