"""The dashboard, built from code: `python -m grafana.dashboard` writes `driftwake.json` beside this file.

Every panel answers one question that its title asks. Metric names are checked against the table of metrics while building, so
a renamed metric breaks the build and not somebody's night.
"""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import NamedTuple

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common, dashboard

from daemon.ledger.records import ENDS
from streams.runtime.metrics import TABLE

FILE = Path(__file__).parent / "driftwake.json"
NAMES = re.compile(r"driftwake_[a-z_]+")
_HISTOGRAM_PARTS = re.compile(r"_(bucket|sum|count)$")
_SOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${source}")
_MODEL = 'model=~"$model"'
_UNCOMMITTED = ', result!="committed"'
_UNDER_WAY = f'state!~"{"|".join(sorted(ENDS))}"'


class Series(NamedTuple):
    """One PromQL expression and how its lines are called."""

    expression: str
    legend: str


class Question(NamedTuple):
    """One panel: what it asks, the series that answer, and their unit. `is_number` shows the newest value alone."""

    title: str
    series: tuple[Series, ...]
    unit: str
    why: str
    is_number: bool = False


def rate(name: str, by: str, more: str = "") -> str:
    """Write a counter's rate per second, summed by labels."""
    return f"sum by ({by}) (rate({name}{{{_MODEL}{more}}}[$__rate_interval]))"


def growth(name: str, by: str) -> str:
    """Write how much a counter grew, summed by labels."""
    return f"sum by ({by}) (increase({name}{{{_MODEL}}}[$__rate_interval]))"


def quantile(share: float, name: str, by: str) -> str:
    """Write a quantile of a histogram."""
    return f"histogram_quantile({share}, sum by ({by}, le) (rate({name}_bucket{{{_MODEL}}}[$__rate_interval])))"


ROWS: dict[str, tuple[Question, ...]] = {
    "Is the system doing its work?": (
        Question(
            "Which generation serves?", (Series(f"max by (model) (driftwake_serving_generation{{{_MODEL}}})", "{{model}}"),),
            "none", "It grows by one with each deployment, rollbacks included.", is_number=True,
        ),
        Question(
            "What is under way?",
            (Series(f"sum by (state) (driftwake_daemon_incidents{{{_MODEL}, {_UNDER_WAY}}}) > 0", "{{state}}"),),
            "none", "Incidents that aren't over, by where they are.", is_number=True,
        ),
        Question(
            "What was swapped in 30 days?",
            (
                Series(f"sum by (model) (increase(driftwake_daemon_promotions_total{{{_MODEL}}}[30d]))", "promoted {{model}}"),
                Series(f"sum by (model) (increase(driftwake_daemon_rollbacks_total{{{_MODEL}}}[30d]))", "rolled back {{model}}"),
            ),
            "none", "Every promotion is followed by a probation, which can roll it back.", is_number=True,
        ),
        Question(
            "Is anything frozen?", (Series(f"max by (model) (driftwake_daemon_frozen{{{_MODEL}}})", "{{model}}"),),
            "bool_yes_no", "People froze deployments; watching and rolling back go on.", is_number=True,
        ),
    ),
    "Are requests answered?": (
        Question(
            "How many are answered?", (Series(rate("driftwake_serving_records_total", "model, route"), "{{model}} {{route}}"),),
            "reqps", "Predictions whose transaction is committed.",
        ),
        Question(
            "How long does an answer take?",
            (
                Series(quantile(0.5, "driftwake_serving_latency_seconds", "model"), "{{model}} median"),
                Series(quantile(0.99, "driftwake_serving_latency_seconds", "model"), "{{model}} 99 %"),
            ),
            "s", "From the arrival of a micro-batch's oldest request to its answer.",
        ),
        Question(
            "What is refused, and why?",
            (
                Series(rate("driftwake_serving_rejected_total", "model, reason"), "{{model}} {{reason}}"),
                Series(rate("driftwake_serving_flagged_total", "model"), "{{model}} scored but suspect"),
            ),
            "reqps", "In quarantine with reason and position; suspect rows are scored, but held out of training.",
        ),
        Question(
            "Is a stage behind?",
            (Series(f"max by (stage, model) (driftwake_stage_lag_records{{{_MODEL}}})", "{{model}} {{stage}}"),),
            "short", "Records that wait to be read, by stage.",
        ),
    ),
    "Is the truth coming in?": (
        Question(
            "What becomes of labels?", (Series(rate("driftwake_joining_labels_total", "model, result"), "{{model}} {{result}}"),),
            "reqps", "A verdict on stale or uncovered data isn't given, so this is the first thing to look at.",
        ),
        Question(
            "How many predictions get one?", (Series(f"driftwake_joining_coverage_ratio{{{_MODEL}}}", "{{model}}"),),
            "percentunit", "Of the predictions whose horizon is over.",
        ),
        Question(
            "How many wait for theirs?", (Series(f"driftwake_joining_waiting_records{{{_MODEL}}}", "{{model}}"),),
            "short", "Predictions in memory until their label comes or their horizon is over.",
        ),
        Question(
            "How far has event time come?",
            (Series(f"time() - max by (stage, model) (driftwake_stage_watermark_seconds{{{_MODEL}}})", "{{model}} {{stage}}"),),
            "s", "Behind the wall clock; in a replay of old data this is the age of the data.",
        ),
    ),
    "Is the model still right?": (
        Question(
            "How good is the champion?", (Series(f"driftwake_monitoring_quality{{{_MODEL}}}", "{{model}} {{measure}}"),),
            "none", "Over the newest window with enough labels.",
        ),
        Question(
            "What did the monitors say?",
            (Series(growth("driftwake_monitoring_events_total", "model, kind, transition"), "{{kind}} {{transition}}"),),
            "none", "Alarms have significance and effect; the whole set keeps to the stated rate of false alarms.",
        ),
        Question(
            "What did the judge say?",
            (Series(growth("driftwake_daemon_verdicts_total", "model, verdict"), "{{model}} {{verdict}}"),),
            "none", "Inconclusive is never taken for passed.",
        ),
        Question(
            "Which steps ended, and how?",
            (Series(growth("driftwake_daemon_steps_total", "skill, result"), "{{skill}} {{result}}"),),
            "none", "Each failure has its class and its repair in the ledger.",
        ),
    ),
    "Is everything kept?": (
        Question(
            "What reaches the lake?", (Series(rate("driftwake_archiving_rows_total", "model, table"), "{{model}} {{table}}"),),
            "rowsps", "Without loss or doubles: each commit names the offsets it holds.",
        ),
        Question(
            "Do the lake's files stay few?",
            (
                Series(growth("driftwake_archiving_merged_files_total", "model, table"), "merged {{model}} {{table}}"),
                Series(growth("driftwake_archiving_deleted_files_total", "model, table"), "deleted {{model}} {{table}}"),
            ),
            "short", "Small files merged, and files deleted that no kept version needs.",
        ),
        Question(
            "Do transactions fail?",
            (Series(rate("driftwake_stage_transactions_total", "stage, result", _UNCOMMITTED), "{{stage}} {{result}}"),),
            "ops", "Aborted micro-batches, which are repeated.",
        ),
        Question(
            "Does the audit grow?", (Series("rate(driftwake_daemon_audit_records_total[$__rate_interval])", "records"),),
            "ops", "Append-only and hash-chained: `driftwake audit verify` finds the first altered record.",
        ),
        Question(
            "How much memory do windows take?", (Series(f"driftwake_serving_window_facts{{{_MODEL}}}", "{{model}}"),),
            "short", "Facts held for window features; evicted as event time goes on.",
        ),
    ),
}  # fmt: skip


def build() -> str:
    """Build the dashboard and return its JSON.

    Raises:
        ValueError: a panel names a metric that the table doesn't have.
    """
    made = (
        dashboards.Dashboard("driftwake")
        .uid("driftwake")
        .description("Drift to hot swap: what is served, what is true, what was decided.")
        .tags(["driftwake"])
        .timezone("utc")
        .refresh("10s")
        .time("now-6h", "now")
        .readonly()
        .with_variable(dashboards.DatasourceVariable("source").label("Data source").type("prometheus"))
        .with_variable(
            dashboards.QueryVariable("model")
            .label("Model")
            .datasource(_SOURCE)
            .query("label_values(driftwake_serving_generation, model)")
            .multi(multi=True)
            .include_all(include_all=True)
            .current(dashboard.VariableOption(text="All", value="$__all"))
            .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        )
    )
    ids = itertools.count(1)
    for title, questions in ROWS.items():
        made = made.with_row(dashboards.Row(title).id(next(ids)))
        for question in questions:
            _check(question)
            made = made.with_panel((_number(question) if question.is_number else _lines(question)).id(next(ids)))
    return json.dumps(made.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _check(question: Question) -> None:
    for series in question.series:
        for name in NAMES.findall(series.expression):
            if name not in TABLE and _HISTOGRAM_PARTS.sub("", name) not in TABLE:
                raise ValueError(f"{question.title!r} asks for {name}, which the table of metrics doesn't have")


def _lines(question: Question) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(question.title)
        .description(question.why)
        .datasource(_SOURCE)
        .unit(question.unit)
        .height(7)
        .span(12)
        .min(0)
        .fill_opacity(8)
        .line_width(1)
        .show_points(common.VisibilityMode.AUTO)
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
        )
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
    )
    for query in _queries(question):
        panel = panel.with_target(query)
    return panel


def _number(question: Question) -> stat.Panel:
    panel = stat.Panel().title(question.title).description(question.why).datasource(_SOURCE).unit(question.unit).height(4).span(6)
    panel = panel.graph_mode(common.BigValueGraphMode.NONE).no_value("none")
    for query in _queries(question):
        panel = panel.with_target(query.instant())
    return panel


def _queries(question: Question) -> list[prometheus.Dataquery]:
    return [
        prometheus.Dataquery().ref_id(chr(ord("A") + index)).expr(series.expression).legend_format(series.legend)
        for index, series in enumerate(question.series)
    ]


if __name__ == "__main__":
    FILE.write_text(build(), "utf-8")
