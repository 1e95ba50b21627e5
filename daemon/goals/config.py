"""Settings of goals: the words in which people speak of a model's requests."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from streams.declared import SliceSettings
from streams.runtime.config import Section

Words = Annotated[str, StringConstraints(pattern=r"^[^\W\d_]+([ _-][^\W_]+)*$", max_length=60)]


class GoalsConfig(Section):
    """What a sentence can name besides the columns and slices."""

    cohorts: dict[Words, SliceSettings] = Field(default_factory=dict)
    """Requests by the words people have for them: `European: {region: [west, east]}`, `young: {age: {below: 30}}`."""

    values: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Values of categories, so that a sentence can name them without their column: `plan: [basic, premium]`. Of a column that
    stands here no other value is accepted."""

    targets: dict[Words, str] = Field(default_factory=dict)
    """What is called how where it is to be predicted: `churn: churned`. Columns can be named as they are anyway."""
