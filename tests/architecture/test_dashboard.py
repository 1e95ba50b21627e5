import json
from pathlib import Path

import yaml

from grafana.dashboard import FILE, NAMES, build
from streams.runtime.metrics import TABLE
from tests.kit.sources import ROOT

HISTOGRAM_PARTS = ("_bucket", "_sum", "_count")


def test_the_committed_dashboard_is_the_one_that_the_code_builds():
    assert FILE.read_text("utf-8") == build(), "run `python -m grafana.dashboard`"


def test_every_metric_in_it_exists():
    names = set(NAMES.findall(FILE.read_text("utf-8")))
    assert len(names) > 15
    for name in names:
        base = next((name.removesuffix(part) for part in HISTOGRAM_PARTS if name.endswith(part)), name)
        kind = TABLE[base].kind
        assert (kind == "histogram") == (base != name), f"{name}: a {kind} is asked for in another form"


def test_every_panel_asks_a_question_and_has_an_answer():
    panels = [panel for panel in json.loads(FILE.read_text("utf-8"))["panels"] if panel["type"] != "row"]
    assert len(panels) >= 15
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["title"].endswith("?")
        assert panel["description"].endswith(".")
        assert panel["datasource"]["uid"] == "${source}"
        assert [target["expr"] for target in panel["targets"]]


def test_provisioning_is_yaml_of_the_right_form():
    files = sorted(Path(ROOT / "grafana/provisioning").rglob("*.yaml"))
    assert len(files) == 2
    for file in files:
        assert yaml.safe_load(file.read_text())["apiVersion"] == 1
