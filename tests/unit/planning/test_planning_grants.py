"""A plan runs as its requester: no feature of a tagged column that nobody has granted, or not to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemon.ledger.records import Plan
from daemon.planners.base import Change
from daemon.planning.compose import Basis, compose
from daemon.planning.config import PlanningConfig
from daemon.planning.guardrails import Facts, check
from streams.contracts.bundle import Golden, Manifest
from streams.contracts.features import Window
from streams.contracts.schema import Column, ModelSchema, SourceSchema
from tests.kit.control import DAY, SKILLS, Control
from tests.unit.planning.plans import NOW, incident, plan_of, proposal_of

AMOUNT = Column(name="amount", kind="number")
INCOME = Column(name="income", kind="number", tags=("pii",), granted=True)
PERSON = Column(name="person", kind="category", role="key", tags=("pii",), protect="hash")
SCHEMA = ModelSchema(columns=(AMOUNT, INCOME, PERSON))


def refused(
    tmp_path: Path, declared: ModelSchema | None, *windows: Window, reads: ModelSchema = SCHEMA, **told: Any
) -> list[str]:
    action, requester = told.pop("action", "retrain"), told.pop("requester", "driftwake")
    plan = plan_of(Control(tmp_path), action, Basis(NOW, incident(requester=requester), "c", windows))
    facts = Facts(NOW, SKILLS, None, (), 0.0, (), reads=bundle_of(reads), declared=declared)
    return refusals(plan, facts, **told)


def refusals(plan: Plan, facts: Facts, **told: Any) -> list[str]:
    return [ruling.rule for ruling in check(plan, facts, PlanningConfig(**told)) if not ruling.allowed]


def bundle_of(schema: ModelSchema, *windows: Window) -> Manifest:
    return Manifest(model="m", schema=schema, golden=Golden(columns=[], windows=[], time_ms=[], scores=[]), windows=windows)


def with_columns(*columns: Column) -> ModelSchema:
    return msgspec.structs.replace(SCHEMA, columns=columns)


def window(column: str | None = None, **changes: Any) -> Window:
    aggregate = "count" if column is None else "sum"
    return Window(**{"aggregate": aggregate, "source": "requests", "column": column, "by": ("person",), "range_ms": 1} | changes)


def test_a_granted_column_may_be_learnt_from(tmp_path: Path) -> None:
    assert refused(tmp_path, SCHEMA) == []


def test_a_column_that_was_tagged_since_may_not(tmp_path: Path) -> None:
    taken = msgspec.structs.replace(INCOME, granted=False, role="key")
    assert refused(tmp_path, with_columns(AMOUNT, taken, PERSON)) == ["tagged_columns"]
    assert refused(tmp_path, with_columns(AMOUNT, taken, PERSON), action="judge_submitted") == [], "nothing is trained"


def test_a_tagged_key_may_group_and_be_neither_value_nor_filter(tmp_path: Path) -> None:
    assert refused(tmp_path, SCHEMA, window()) == []
    taken = with_columns(AMOUNT, PERSON, msgspec.structs.replace(INCOME, granted=False, role="key"))
    bare = ModelSchema(columns=(AMOUNT, PERSON, msgspec.structs.replace(INCOME, role="key")))
    assert refused(tmp_path, taken, window("income"), reads=bare) == ["tagged_columns"]
    assert refused(tmp_path, taken, window(where="income > 3"), reads=bare) == ["tagged_columns"]
    assert refused(tmp_path, taken, window("amount"), reads=bare) == []


def test_a_source_s_column_counts_as_the_model_s_own(tmp_path: Path) -> None:
    salary = Column(name="salary", kind="number", tags=("pii",))
    source = SourceSchema(name="people", columns=(PERSON, salary))
    declared = msgspec.structs.replace(SCHEMA, sources=(source,))
    assert refused(tmp_path, declared, window("salary", source="people")) == ["tagged_columns"]
    open_one = SourceSchema(name="people", columns=(PERSON, msgspec.structs.replace(salary, granted=True)))
    granted = msgspec.structs.replace(SCHEMA, sources=(open_one,))
    assert refused(tmp_path, granted, window("salary", source="people")) == []
    assert refused(tmp_path, granted, window("salary", source="people"), grants={"salary": ("ann",)}) == ["grants"]


def test_a_window_that_nobody_can_read_is_no_reason_to_go_on(tmp_path: Path) -> None:
    assert refused(tmp_path, SCHEMA, window(where="nobody = 1")) == ["tagged_columns"]


@pytest.mark.parametrize(("requester", "expected"), [("ann", []), ("bob", ["grants"]), ("driftwake", ["grants"])])
def test_a_grant_may_be_of_some_people_alone(tmp_path: Path, requester: str, expected: list[str]) -> None:
    assert refused(tmp_path, SCHEMA, requester=requester, grants={"income": ("ann",)}) == expected
    assert refused(tmp_path, SCHEMA, requester=requester, grants={"amount": ("ann", "bob", "driftwake")}) == []


def test_a_search_for_somebody_must_not_come_upon_what_is_withheld(tmp_path: Path) -> None:
    bare = ModelSchema(columns=(AMOUNT, PERSON, msgspec.structs.replace(INCOME, role="key")))
    withheld = {"grants": {"income": ("ann",)}, "reads": bare}
    assert refused(tmp_path, bare, action="retrain", **withheld) == []
    assert refused(tmp_path, bare, action="search_features_and_retrain", **withheld) == ["grants"]
    assert refused(tmp_path, bare, action="search_features_and_retrain", requester="ann", **withheld) == []


def test_a_bundle_that_comes_back_reads_nothing_that_was_tagged_since(tmp_path: Path) -> None:
    """It may have windows that the champion hasn't."""
    basis = Basis(NOW, incident(), "c", (), change=Change(since_ms=NOW - 9 * DAY, rows=900))
    plan = compose(proposal_of("restore_archived", challenger="a" * 64), basis, Control(tmp_path).places, PlanningConfig())
    taken = with_columns(AMOUNT, PERSON, msgspec.structs.replace(INCOME, granted=False, role="key"))
    bare = ModelSchema(columns=(AMOUNT, PERSON, msgspec.structs.replace(INCOME, role="key")))
    for windows, expected in (((window("amount"),), []), ((window("income"),), ["tagged_columns"])):
        facts = Facts(NOW, SKILLS, None, (), 0.0, (), reads=bundle_of(bare, *windows), declared=taken)
        assert refusals(plan, facts) == expected
