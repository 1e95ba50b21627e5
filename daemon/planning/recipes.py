"""What plans have in common that do the same about the same cause, and how often that went well in a row. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from daemon.ledger.records import Incident, Recipe, has_broken
from daemon.planners.base import REPLACES, Cause, Proposal
from daemon.planning.config import PlanningConfig


class Deed(NamedTuple):
    """A plan that ran: by which recipe, in which incident, when that ended (event time), and whether its champion did well."""

    recipe: Recipe
    incident: str
    ended_ms: int
    is_good: bool


def recipe_of(
    proposal: Proposal, likely: Cause | None, model: str, config: PlanningConfig, judging: Mapping[str, Any]
) -> Recipe | None:
    """Return the recipe of a proposal's plan, None where it can never become a playbook.

    That takes a cause, and an action whose end a judge has measured: what people hand in or are asked is theirs every time, and
    after a rollback nothing is compared.

    Args:
        proposal: whatever planner made it.
        likely: the likeliest cause.
        model: whose incident it is.
        config: shapes the plan.
        judging: what its challenger must prove, by the setting's name: who trusts a playbook trusts that judge.
    """
    if likely is None or proposal.action not in REPLACES:
        return None
    since_change = proposal.action == "restore_archived" or proposal.train_since_ms is not None
    settings = {
        "train_ms": config.train.ms, "sealed_ms": config.sealed.ms, "search_seconds": config.search_seconds,
        "parameters": config.parameters, "seed": config.seed, "training_budget_ms": config.training_budget.ms,
        **{f"judging.{name}": value for name, value in judging.items()},
    }  # fmt: skip
    return Recipe(
        model=model,
        cause=likely.cause,
        action=proposal.action,
        rows="since_change" if since_change else "as_configured",
        settings=settings,
    )


def deed_of(incident: Incident) -> Deed | None:
    """Return what an ended incident's plan did; None where that says nothing: no recipe, it never ran, nobody could judge it."""
    given = incident.details.get("recipe")
    if given is None:
        return None
    is_good = incident.state == "closed" and incident.details.get("probation", {}).get("outcome") == "pass"
    if not is_good and not has_broken(incident.state, incident.details):
        return None
    return Deed(msgspec.convert(given, Recipe), incident.id, incident.moved_ms, is_good)


def in_a_row(recipe: Recipe, deeds: Iterable[Deed], after_ms: int | None = None) -> tuple[str, ...]:
    """Return the incidents in which a recipe's plans went well since anything of its cause and action last broke, oldest first.

    Args:
        recipe: of which plans.
        deeds: a model's, in any order.
        after_ms: only what ended later counts.
    """
    row: list[str] = []
    for deed in sorted(deeds, key=lambda one: (one.ended_ms, not one.is_good, one.incident)):
        if (deed.recipe.cause, deed.recipe.action) != (recipe.cause, recipe.action):
            continue
        if not deed.is_good:
            row.clear()
        elif deed.recipe.digest == recipe.digest and (after_ms is None or deed.ended_ms > after_ms):
            row.append(deed.incident)
    return tuple(row)
