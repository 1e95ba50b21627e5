"""What `driftwake features` does: say what a feature is, and compute it on a file."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from daemon.commands.errors import BadInputError
from daemon.commands.looking import known_model
from daemon.errors import LogRefusedError
from daemon.replay.config import LogConfig
from daemon.replay.roles import read_log, read_requests
from daemon.settings import DaemonSettings
from streams.contracts.errors import ContractError
from streams.contracts.features import Expression, Feature, Source, Window, duration_text
from streams.contracts.schema import OWN_FACTS, Column, ModelSchema, SourceSchema
from streams.features.evaluate import evaluate
from streams.features.expressions import parse
from streams.features.sql import compiled
from streams.features.text import is_window, parse_window
from streams.features.tree import Tree, names_in
from streams.features.units import units_of
from streams.inference.graph import preprocessing_graph
from streams.windows.facts import columns_of, grouped
from streams.windows.offline import window_values
from streams.windows.sizes import state_size
from streams.windows.sql import compile_windows

Floats = NDArray[np.float64]

FORMULA = "formula"


class About(NamedTuple):
    """Whose features: the columns, the allowed skew in ms, which columns of a file hold what, and sources' files by name."""

    schema: ModelSchema
    skew_ms: int
    roles: LogConfig
    sources: Mapping[str, Path] = {}


class Explained(msgspec.Struct, frozen=True):
    """A feature in every form; what it has no form of is empty."""

    text: str
    name: str
    kind: str
    reads: Sequence[str]
    sees: str
    state: Mapping[str, float]
    sql: str
    nodes: Mapping[str, int]
    spec: Mapping[str, Any]


class Tried(NamedTuple):
    """A feature's values for all rows of a file, in order of time, beside what it read; and how long that took."""

    rows: pd.DataFrame
    values: Floats
    seconds: float

    def summary(self) -> dict[str, float | None]:
        """Return how many values there are and how they are spread; None where all are missing."""
        present = self.values[~np.isnan(self.values)]
        low, middle, high = np.quantile(present, [0.0, 0.5, 1.0]).tolist() if len(present) else (None, None, None)
        return {
            "rows": len(self.values),
            "missing": len(self.values) - len(present),
            "mean": float(present.mean()) if len(present) else None,
            "least": low,
            "median": middle,
            "largest": high,
            "seconds": round(self.seconds, 3),
        }

    def table(self) -> pd.DataFrame:
        """Return what was read and the values."""
        return self.rows.assign(value=self.values)

    def last(self, rows: int) -> list[dict[str, Any]]:
        """Return the last rows, None where something is missing."""
        some = self.table().iloc[len(self.rows) - min(rows, len(self.rows)) :]
        return [{str(name): None if pd.isna(value) else value for name, value in row.items()} for row in some.to_dict("records")]


def about(
    config: DaemonSettings | None,
    model: str | None,
    file: Path | None,
    given: Mapping[str, str],
    sources: Mapping[str, Path] = MappingProxyType({}),
) -> About:
    """Return what a config says of a model, or a parquet file of itself.

    Args:
        config: None, if there is none.
        model: which of the config's; its only one unless named.
        file: what is asked where there is no config.
        given: columns of a file by their role, which come before those of the config.
        sources: files of registered sources by name; without a config that is what registers them.

    Raises:
        BadInputError: there is neither config nor file, or the model isn't clear.
        LogRefusedError: the file can't be read, or has no usable columns.
    """
    if config is not None:
        of_model = _about_model(config, model)
        return of_model._replace(roles=LogConfig.model_validate({**of_model.roles.model_dump(), **given}), sources=sources)
    if file is None:
        raise BadInputError("which columns are there? Name the config of a model (--config), or a parquet file (--data)")
    roles = LogConfig.model_validate(given)
    registered = tuple(SourceSchema(name=name, columns=_columns_in(path, roles)) for name, path in sources.items())
    return About(ModelSchema(columns=_columns_in(file, roles), sources=registered), 0, roles, sources)


def read_feature(text: str, schema: ModelSchema) -> Feature:
    """Read a window or a formula.

    Raises:
        BadInputError: it is neither; the text says where and why.
    """
    try:
        if not is_window(text):
            _tree(text, schema)
            return Expression(name=FORMULA, text=text)
        window = parse_window(text)
        grouped([window], schema)
    except ContractError as error:
        raise BadInputError(str(error)) from error
    return window


def explain(text: str, about: About) -> Explained:
    """Say what a feature is.

    Raises:
        BadInputError: it isn't one.
    """
    feature = read_feature(text, about.schema)
    return _window(feature, about) if isinstance(feature, Window) else _formula(feature, about.schema)


def try_on(text: str, about: About, file: Path) -> Tried:
    """Compute a feature for every row of a file.

    Raises:
        BadInputError: it isn't one.
        LogRefusedError: the file can't be read, or lacks what the feature needs.
    """
    feature = read_feature(text, about.schema)
    rows, outcomes = _facts(feature, about, file)
    began = time.perf_counter()
    if isinstance(feature, Window):
        facts: dict[Source, pa.Table] = {"requests": _table(rows), "outcomes": _table(outcomes)}
        if feature.source not in facts:
            facts[feature.source] = _records(feature.source, about)
        ((_, values),) = window_values([feature], about.schema, about.skew_ms, facts["requests"], facts)
    else:
        tree = _tree(feature.text, about.schema)
        columns = {name: rows[name].to_numpy() for name in names_in(tree)}
        values = evaluate(tree, columns, rows["time_ms"].to_numpy())
    seconds = time.perf_counter() - began
    # What is tagged may group rows here too, and is shown to nobody.
    read = feature.by if isinstance(feature, Window) and feature.source not in OWN_FACTS else _reads(feature, about.schema)
    shown = [name for name in read if name in rows and not _is_closed(name, about.schema)]
    return Tried(rows[["time_ms", *shown]], values, seconds)


def _records(source: Source, about: About) -> pa.Table:
    if source not in about.sources:
        raise BadInputError(f"where are the records of {source}? Name a parquet file: --source {source}=FILE")
    schema = ModelSchema(columns=about.schema.columns_of(source))
    return _table(read_requests(about.sources[source], LogConfig(time=about.roles.time), schema))


def _about_model(settings: DaemonSettings, model: str | None) -> About:
    if model is None and len(settings.models) > 1:
        raise BadInputError(f"--model: name one of {', '.join(one.name for one in settings.models)}")
    name = known_model(settings, model or settings.models[0].name)
    given = next(one for one in settings.models if one.name == name)
    return About(given.schema_contract(), given.skew.ms, given.log)


def _columns_in(file: Path, roles: LogConfig) -> tuple[Column, ...]:
    """Its numbers and texts are columns, but for its time, id and label."""
    try:
        found = pq.read_schema(file)
    except (OSError, pa.ArrowException) as error:
        raise LogRefusedError(file, [f"it isn't a readable parquet file: {error}"]) from error
    taken = {roles.id, roles.time, roles.label, roles.label_time}
    columns = [column for field in found if field.name not in taken and (column := _column(field)) is not None]
    if not columns:
        raise LogRefusedError(file, [f"it has no column of numbers or text beside {', '.join(sorted(filter(None, taken)))}"])
    return tuple(columns)


def _window(window: Window, about: About) -> Explained:
    size, read = state_size(window, about.schema), _reads(window, about.schema)
    some = _only(about.schema, read if window.source in OWN_FACTS else window.by)
    graph = preprocessing_graph(some, [window], (), dict.fromkeys(some.categories, ()))
    near = window.delay_ms + about.skew_ms
    return Explained(
        text=window.text,
        name=window.name,
        kind="window",
        reads=read,
        sees=f"for a row at t: {window.source} from t - {duration_text(near + window.range_ms)} to before t"
        + (f" - {duration_text(near)}" if near else ""),
        state={"bytes_per_fact": round(size.per_fact, 1), "bytes_per_key": round(size.per_key, 1)},
        sql=compile_windows([window], about.schema, about.skew_ms),
        nodes=_counted(graph),
        spec=msgspec.to_builtins(window),
    )


def _formula(formula: Expression, schema: ModelSchema) -> Explained:
    tree = _tree(formula.text, schema)
    read = sorted(names_in(tree))
    some = _only(schema, read)
    graph = preprocessing_graph(some, (), [formula], dict.fromkeys(some.categories, ()))
    return Explained(
        text=formula.text,
        name=formula.name,
        kind="expression",
        reads=read,
        sees="the row itself",
        state={},
        sql=compiled(tree, {name: f'"{name}"' for name in read}, "time_ms"),
        nodes=_counted(graph),
        spec=msgspec.to_builtins(formula),
    )


def _only(schema: ModelSchema, names: Sequence[str]) -> ModelSchema:
    """The columns read, as features; one at least, since a model must have one."""
    kept = [column for column in schema.columns if column.name in names] or list(schema.columns[:1])
    columns = tuple(Column(name=column.name, kind=column.kind, unit=column.unit) for column in kept)
    return ModelSchema(columns=columns, task=schema.task, sources=schema.sources)


def _counted(graph: Any) -> dict[str, int]:
    return dict(Counter(node.op_type for node in graph.graph.node).most_common())


def _reads(feature: Feature, schema: ModelSchema) -> list[str]:
    if isinstance(feature, Window):
        return list(dict.fromkeys([*feature.by, *sorted(columns_of(feature, schema))]))
    return sorted(names_in(_tree(feature.text, schema)))


def _facts(feature: Feature, about: About, file: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Requests and, for a window over outcomes, those with their labels."""
    if isinstance(feature, Window) and feature.source == "outcomes":
        log = read_log(file, about.roles, about.schema)
        labelled = log.history(int(log.requests["time_ms"].max()) + 1)
        return log.requests, labelled.sort_values(["known_ms", "id"], kind="stable")
    requests = read_requests(file, about.roles, about.schema)
    return requests, requests.iloc[:0]


def _is_closed(name: str, schema: ModelSchema) -> bool:
    return any(column.is_closed for column in schema.columns if column.name == name)


def _tree(text: str, schema: ModelSchema) -> Tree:
    tree = parse(text, {column.name: column.kind for column in schema.columns}, units_of(schema))
    schema.check_granted(names_in(tree), f"formula {text}")
    return tree


def _table(rows: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(rows, preserve_index=False)


def _column(field: pa.Field) -> Column | None:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    try:
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return _declared(Column(name=field.name, kind="category"))
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
            return _declared(Column(name=field.name, kind="number"))
    except ContractError:
        return None  # a name that no formula can say
    return None


def _declared(column: Column) -> Column:
    return ModelSchema(columns=(column,)).columns[0]
