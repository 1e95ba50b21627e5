"""What calls cost: set aside before, settled after, bounded by a month's budget; and who isn't asked at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from daemon.errors import LedgerError
from daemon.ledger.calls import RESERVED, Budget, Cost
from daemon.planners._claude.circuit import Circuit
from daemon.planners._claude.config import ClaudeConfig
from daemon.planners._claude.key import key_in
from daemon.planners._claude.money import MONTH_MS, cost_of, most
from daemon.planners.base import NoProposalError
from daemon.planners.claude import ClaudePlanner
from tests.kit.claude import NAME, Asking, StillClock, asking, situation_of, submitted
from tests.kit.messages_server import USAGE, MessagesServer, Raw, Says, Script, Status, call

# 1,000 tokens, 200 written at 1.25 and 500 read at 0.1 times their price of 2 dollars, and 100 at 10, each for a million.
PAID = (1_300 * 2 + 100 * 10) / 1e6
DAY_S = 86_400


async def silence(world: Asking) -> str:
    with pytest.raises(NoProposalError) as caught:
        await world.planner.propose(world.situation)
    return caught.value.reason


def reserved(world: Asking, dollars: float) -> None:
    """Leave a call behind as a daemon that died in the middle of it."""
    world.ledger.reserve_call(
        world.situation.incident, NAME, llm="l", purpose="plan", most=Cost(1, 1, dollars=dollars), budget=Budget(1e9, 0), now_ms=0
    )


async def test_a_call_costs_what_its_usage_says(tmp_path: Path) -> None:
    async with asking(tmp_path, [Says([call("limits")]), Says([submitted()])]) as world:
        await world.planner.propose(world.situation)
        first, second = world.ledger.calls_of(world.situation.incident)
        assert first.dollars == second.dollars == pytest.approx(PAID)
        tokens = (first.tokens_in, first.tokens_out, first.tokens_cache_read, first.tokens_cache_written)
        assert tokens == (1_000, 100, 500, 200)
        assert (first.llm, first.purpose, first.model) == ("claude-sonnet-5-5", "plan", NAME)
        assert world.ledger.dollars_spent(NAME, 0) == pytest.approx(2 * PAID)
        kinds = [record.kind for record in world.ledger.trail(world.situation.incident)]
        assert kinds[-4:] == ["llm.reserved", "llm.settled"] * 2
        assert world.ledger.trail()[-1].incident == world.situation.incident


@pytest.mark.parametrize(
    ("script", "is_free"),
    [
        ([Status(529, "overloaded_error")], True),
        ([Status(400, "invalid_request_error")], True),
        ([Says([submitted()], events=5, then="cut")], False),
        ([Says([submitted()], events=5)], False),
        ([Raw(b"<html>")], False),
        ([Says([submitted({})], usage={**USAGE, "input_tokens": None})], False),
        ([Says([submitted({})], usage={**USAGE, "input_tokens": 1 << 70})], False),
        ([Raw(b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error", "message": "m"}}\n\n')], False),
    ],
)
async def test_what_may_have_cost_something_counts_with_all_that_was_set_aside(
    tmp_path: Path, script: Script, is_free: object
) -> None:
    async with asking(tmp_path, script, retries=0) as world:
        await silence(world)
        one = world.ledger.calls_of(world.situation.incident)[0]
        assert one.outcome != RESERVED
        assert (one.dollars == 0.0) == is_free
        if not is_free:
            assert one.dollars > 10 * 4_000 / 1e6, "at least the longest answer"


async def test_who_can_t_be_reached_costs_nothing(tmp_path: Path) -> None:
    async with MessagesServer() as gone:
        url = gone.url
    async with asking(tmp_path, url=url) as world:
        assert await silence(world) == "transport"
        assert world.pauses == [1.0, 2.0]
        assert world.ledger.dollars_spent(NAME, 0) == 0.0


async def test_nobody_is_asked_without_a_budget(tmp_path: Path) -> None:
    async with asking(tmp_path, [Says([submitted()])], dollars_per_30d=0.01) as world:
        assert await silence(world) == "over_budget"
        assert (world.server.seen, world.outcomes) == ([], [])


async def test_what_a_dead_daemon_had_set_aside_is_spent_until_the_month_is_over(tmp_path: Path) -> None:
    async with asking(tmp_path, [Says([submitted()])], dollars_per_30d=1.0) as world:
        reserved(world, 0.99)
        assert await silence(world) == "over_budget"
        world.clock.seconds += 30 * DAY_S + 1
        assert (await world.planner.propose(world.situation)).action == "retrain"


async def test_the_budget_ends_a_conversation_in_the_middle(tmp_path: Path) -> None:
    def dear(body: dict[str, Any]) -> Says:
        reserved(world, 4.99)
        return Says([call("limits")])

    async with asking(tmp_path, [dear, Says([submitted()])], dollars_per_30d=5.0) as world:
        assert await silence(world) == "over_budget"
        assert world.outcomes == ["tool_use", RESERVED]


async def test_another_model_s_calls_are_another_budget(tmp_path: Path) -> None:
    async with asking(tmp_path) as world:
        reserved(world, 3.0)
        assert world.ledger.dollars_spent(NAME, 0) == 3.0
        assert world.ledger.dollars_spent("another", 0) == 0.0
        assert world.ledger.dollars_spent(NAME, world.ledger.wall_ms() + 1) == 0.0


async def test_a_call_is_settled_once(tmp_path: Path) -> None:
    async with asking(tmp_path) as world:
        reserved(world, 1.0)
        (one,) = world.ledger.calls_of(world.situation.incident)
        settled = world.ledger.settle_call(one, "refusal", now_ms=1, latency_ms=7, cost=Cost(5, 6, 7, 8, 0.5))
        assert (settled.outcome, settled.dollars, settled.latency_ms, settled.tokens_cache_read) == ("refusal", 0.5, 7, 7)
        with pytest.raises(LedgerError, match="settled before"):
            world.ledger.settle_call(settled, "refusal", now_ms=1, latency_ms=7)


async def test_a_reservation_is_never_less_than_the_price(tmp_path: Path) -> None:
    """Counted in the dearest tokens: every byte that was sent, put into the cache."""
    async with asking(tmp_path, [Says([call("drift_ranking", top=20)]), Says([submitted()])]) as world:
        await world.planner.propose(world.situation)
        config = ClaudeConfig()
        for seen in world.server.seen:
            sent = {**USAGE, "input_tokens": 0, "cache_read_input_tokens": 0, "cache_creation_input_tokens": len(seen.raw)}
            usage = type("Usage", (), {**sent, "output_tokens": config.max_tokens})
            cost = cost_of(usage, config)
            assert cost is not None
            assert cost.dollars <= most({name: seen.body[name] for name in ("system", "tools", "messages")}, config).dollars


@pytest.mark.parametrize("broken", [None, "7", True, -1, 1.5, 1 << 40])
def test_a_usage_that_isn_t_one_is_no_price(broken: object) -> None:
    usage = type("Usage", (), {**USAGE, "output_tokens": broken})
    assert cost_of(usage, ClaudeConfig()) is None
    assert cost_of(None, ClaudeConfig()) is None


async def test_after_failures_in_a_row_claude_has_a_rest_and_then_one_trial(tmp_path: Path) -> None:
    script = [Says([], "refusal")] * 3 + [Says([submitted()])] * 2
    async with asking(tmp_path, script, failures=2, rest="1h") as world:
        assert [await silence(world) for _ in range(4)] == ["refusal", "refusal", "circuit_open", "circuit_open"]
        assert len(world.server.seen) == 2
        world.clock.seconds += 3_600
        assert await silence(world) == "refusal"
        assert await silence(world) == "circuit_open", "the trial failed"
        world.clock.seconds += 3_600
        for _ in range(2):
            assert (await world.planner.propose(world.situation)).action == "retrain"


async def test_an_empty_budget_is_no_failure(tmp_path: Path) -> None:
    async with asking(tmp_path, dollars_per_30d=0.0, failures=1) as world:
        assert [await silence(world) for _ in range(3)] == ["over_budget"] * 3


def test_a_success_forgets_the_failures_before_it() -> None:
    circuit = Circuit(2, 10.0, StillClock())
    for _ in range(5):
        circuit.note_failure()
        assert not circuit.is_open
        circuit.note_success()
    circuit.note_failure()
    circuit.note_failure()
    assert circuit.is_open


@pytest.mark.parametrize("content", ["", "  \n", "two words", "ключ", "x" * 600])
def test_what_can_t_be_a_key_isn_t_one(tmp_path: Path, content: str) -> None:
    (tmp_path / "key").write_text(content)
    assert key_in(ClaudeConfig(key_file=tmp_path / "key"), {"ANTHROPIC_API_KEY": "sk-good"}) is None


def test_the_key_is_in_the_file_or_else_in_the_variable(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-file\n")
    variables = {"ANTHROPIC_API_KEY": "sk-usual", "OURS": " sk-ours "}
    assert key_in(ClaudeConfig(key_file=tmp_path / "key"), variables) == "sk-file"
    assert key_in(ClaudeConfig(), variables) == "sk-usual"
    assert key_in(ClaudeConfig(key_variable="OURS"), variables) == "sk-ours"
    assert key_in(ClaudeConfig(key_file=tmp_path / "none"), variables) is None
    assert key_in(ClaudeConfig(), {}) is None


async def test_without_a_key_or_a_ledger_nobody_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    async with asking(tmp_path, [Says([submitted()])], key_file=tmp_path / "none") as world:
        assert await silence(world) == "no_key"
        assert world.server.seen == []
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-x")
        with pytest.raises(NoProposalError, match="no_ledger"):
            await ClaudePlanner(ClaudeConfig(url=world.server.url), None).propose(situation_of())
        assert world.server.seen == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"url": "http://api.example"}, "https"),
        ({"llm": "claude-opus-5-5"}, "dollars_per_million_in and dollars_per_million_out"),
        ({"llm": "claude-opus-5-5", "dollars_per_million_in": 4.0}, "prices"),
        ({"llm": "a b"}, "pattern"),
        ({"key_variable": "A=B"}, "pattern"),
    ],
)
def test_a_config_that_would_betray_the_key_or_the_budget_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ClaudeConfig.model_validate(wrong)


def test_another_claude_is_welcome_with_its_prices() -> None:
    config = ClaudeConfig(llm="claude-opus-5-5", dollars_per_million_in=4.0, dollars_per_million_out=20.0)
    usage = type("Usage", (), USAGE)
    assert cost_of(usage, config) == Cost(1_000, 100, 500, 200, pytest.approx(2 * PAID))
    assert MONTH_MS == 30 * DAY_S * 1_000
