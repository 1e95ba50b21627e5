"""What holds for every policy: it is found by name, decides from what it is given alone, and leaves that as it was."""

import ast
import copy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from streams.contracts.features import Window
from tests.bench.closed_loop.policies import making
from tests.bench.closed_loop.policies.base import Retrain, World
from tests.bench.closed_loop.policies.making import NAMES, make
from tests.unit.bench_loop.policy_world import HOUR_MS, day, matured, moment, requests, world

FOLDER = Path(making.__file__).parent
PLANTED = Window(aggregate="count", source="requests", by=("customer_id",), range_ms=600_000)
ORACLES = {"oracle", "oracle_feature"}
MAY_IMPORT = {"numpy", "pandas", "scipy", "river", "streams.contracts", "tests.bench.closed_loop.policies", "__future__"}
MAY_IMPORT_OF_PYTHON = {"collections", "math", "typing"}


def answers(name: str, given: World) -> list[Retrain | None]:
    """What a policy asks for in ten days in which inputs and losses move."""
    rng, policy = np.random.default_rng(0), make(name, given, np.random.default_rng(0))
    found = []
    for end_ms in range(day(77) + 6 * HOUR_MS, day(87) + 1, 6 * HOUR_MS):
        label = (rng.random(200) < 0.1).astype("float64")
        rows = matured(np.full(200, end_ms), label, np.where(end_ms < day(82), label, 0.1), np.arange(200))
        asked = requests(rng, end_ms - 6 * HOUR_MS, end_ms, 200, amount=float(end_ms))
        found.append(policy.decide(moment(end_ms, requests=asked, matured=rows)))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_has_its_name_and_says_who_it_is(name: str):
    policy = make(name, world(planted=PLANTED), np.random.default_rng(0))
    assert policy.name == name
    assert policy.who
    assert "\n" not in policy.who


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no policy 'monthly'; there are never, daily, weekly"):
        make("monthly", world(), np.random.default_rng(0))


@pytest.mark.parametrize("name", NAMES)
def test_the_same_world_and_seed_give_the_same_answers(name: str):
    given = world(onset_ms=day(79), planted=PLANTED)
    first = answers(name, given)
    assert first == answers(name, given)
    assert any(first) == (name != "never")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ORACLES])
def test_only_oracles_know_what_will_happen(name: str):
    assert answers(name, world()) == answers(name, world(onset_ms=day(79), planted=PLANTED))


@pytest.mark.parametrize("name", NAMES)
def test_what_a_policy_is_given_stays_as_it_was(name: str):
    given = world(onset_ms=day(70), planted=PLANTED)
    before, rng = copy.deepcopy(given.champion_rows), np.random.default_rng(0)
    policy = make(name, given, rng)
    seen = moment(day(71), requests=requests(rng, day(70), day(71), 500), matured=matured([day(70)] * 600)[::-1])
    kept = copy.deepcopy(seen)
    policy.decide(seen)
    pd.testing.assert_frame_equal(given.champion_rows, before)
    pd.testing.assert_frame_equal(seen.requests, kept.requests)
    pd.testing.assert_frame_equal(seen.matured, kept.matured)


def test_no_policy_reaches_the_broker_the_lake_the_ledger_or_a_clock():
    files = sorted(FOLDER.glob("*.py"))
    assert len(files) > len(NAMES)
    found = {(file.name, module) for file in files for module in imported(file) if not is_allowed(module)}
    assert found == set()


def imported(file: Path) -> list[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return names + [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]


def is_allowed(module: str) -> bool:
    if module.split(".", maxsplit=1)[0] in sys.stdlib_module_names - {"__future__"}:
        return module.split(".", maxsplit=1)[0] in MAY_IMPORT_OF_PYTHON
    return any(module == allowed or module.startswith(f"{allowed}.") for allowed in MAY_IMPORT)
