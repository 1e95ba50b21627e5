"""A model and a moment that tests of dialects share."""

from streams.contracts.schema import Column, ModelSchema

SCHEMA = ModelSchema(
    columns=(
        Column(name="size", kind="number"),
        Column(name="colour", kind="category"),
        Column(name="owner", kind="category", role="key"),
    )
)
FEATURES = {"size": 1.5, "colour": "red", "owner": None}
NOW = 1_700_000_000_000
