"""`driftwake calibrate`: from a log to a bundle that can be deployed, or to the weeks that are missing."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer

from daemon.cli import app
from daemon.commands import calibrating
from daemon.commands.configuring import load_config
from daemon.commands.looking import reading, status_of
from daemon.commands.screen import Screen
from streams.inference.store import BundleStore
from tests.kit.command_line import Place, Run
from tests.kit.histories import MODEL, between, log_of, schema_of, trained_on

CONFIG = """\
data_dir: {folder}
models:
  - name: parcels
    bucket: 3h
    {bundle}
    schema:
      columns:
        - {{name: x0, kind: number}}
        - {{name: x1, kind: number}}
        - {{name: depot, kind: category}}
        - {{name: colour, kind: category}}
    log: {{id: id, time: time_ms, label: label, label_time: known_ms}}
"""


class Site(NamedTuple):
    """A folder with a config, a log of five weeks, one of three, and one without labels; and the bundle of two weeks before."""

    folder: Path
    digest: str

    @property
    def bundles(self) -> set[str]:
        return {place.name for place in (self.folder / "registry" / MODEL).iterdir()}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder, log = tmp_path_factory.mktemp("site"), log_of(7)
    digest = trained_on(between(log, 0, 2), folder, schema_of(2))
    pq.write_table(between(log, 2, 7), folder / "log.parquet")
    pq.write_table(between(log, 2, 5), folder / "short.parquet")
    pq.write_table(between(log, 2, 7).drop_columns(["label", "known_ms"]), folder / "requests.parquet")
    (folder / "my.yaml").write_text(CONFIG.format(folder=folder, bundle=f"bundle: {digest}"))
    (folder / "nobundle.yaml").write_text(CONFIG.format(folder=folder, bundle="partitions: 2"))
    return Site(folder, digest)


@pytest.fixture(autouse=True)
def inside(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(site.folder)


def example() -> list[str]:
    """The command line that the help shows, without the program's name."""
    command = typer.main.get_command(app).commands["calibrate"]
    (line,) = [line for line in command.help.splitlines() if "driftwake calibrate" in line]
    return shlex.split(line)[2:]


def test_the_example_of_the_help_shows_everything_and_writes_nothing(run: Run, site: Site):
    before = site.bundles
    answer = run(*example())
    assert answer.code == 0, answer.err
    for part in (
        "Alarms a month that the log itself would have raised", "feature_scores", "performance_auc", "last third (95 %)",
        "a feature shifts by 0.5 sd", "the AUC falls by 0.05", "found in a week", "hours", "Nothing was written.",
    ):  # fmt: skip
        assert part in answer.out, part
    for part in ("inputs_quality: ", "learning what is usual", "the AUC falls by 0.05: tried"):
        assert part in answer.err, part
    assert site.bundles == before


def test_what_it_writes_can_be_deployed_as_it_says(run: Run, site: Site):
    answer = run("calibrate", "--data", "log.parquet", "--config", "my.yaml", "--json")
    assert answer.code == 0, answer.err
    assert answer.err == "", "programs are told nothing on the way"
    found = json.loads(answer.out)
    assert (found["model"], found["parent"], found["is_deployed"]) == ("parcels", site.digest, False)
    profile = BundleStore(site.folder / "registry").read(MODEL, found["digest"]).profile
    assert profile.normal is not None
    assert (profile.normal.since_ms, profile.normal.until_ms) == (found["since_ms"], found["until_ms"])
    for is_deployed, wanted in ((False, f"bundle: {found['digest']}"), (True, "driftwake deploy")):
        with Path("shown.txt").open("w", encoding="utf-8") as file:
            calibrating.show({**found, "is_deployed": is_deployed}, Path("my.yaml"), Screen(file))
        assert wanted in Path("shown.txt").read_text(encoding="utf-8")
    (command,) = [line for line in Path("shown.txt").read_text(encoding="utf-8").splitlines() if "driftwake deploy" in line]
    ordered = run(*shlex.split(command)[1:])
    assert (ordered.code, "start `driftwake up` first" in ordered.err) == (1, True), "all but the broker is there"


def test_a_short_log_is_refused_with_the_weeks_that_are_missing(run: Run, site: Site):
    before = site.bundles
    answer = run("calibrate", "--data", "short.parquet", "--config", "my.yaml")
    assert (answer.code, answer.out) == (2, "")
    said = " ".join(answer.err.split())
    assert "the history can't support 2 false alarms a month; inputs_quality (data_quality) lacks 1 week" in said
    assert "nothing was written" in said
    assert site.bundles == before


def test_a_log_without_labels_calibrates_what_needs_none(run: Run):
    command = ("calibrate", "--data", "requests.parquet", "--config", "my.yaml", "--dry-run")
    answer = run(*command)
    assert answer.code == 2
    assert "no column 'label_time'" in answer.err or "no column 'known_ms'" in answer.err
    answer = run(*command, "--partial")
    assert answer.code == 0, answer.err
    assert (
        "loss_mean (loss_drift) stays as it was: 4 weeks missing; the log lacks labels: the columns of log.label and"
        in answer.out
    )
    assert "0 of the" in answer.out


def test_what_the_broker_stamped_is_learnt_where_the_log_has_it(run: Run, site: Site):
    log = pq.read_table(site.folder / "log.parquet")
    got = np.array(log["time_ms"]) + 7
    told = got + np.random.default_rng(0).lognormal(4, 0.5, len(got)).astype(np.int64)
    pq.write_table(log.append_column("got", pa.array(got)).append_column("told", pa.array(told)), site.folder / "timed.parquet")
    watched = f"bundle: {site.digest}\n    monitoring: {{detectors: [loss_mean, serving_latency]}}"
    config = CONFIG.format(folder=site.folder, bundle=watched)
    Path("untimed.yaml").write_text(config)
    Path("timed.yaml").write_text(config.replace("known_ms}", "known_ms, received: got, answered: told}"))
    answer = run("calibrate", "--data", "timed.parquet", "--config", "timed.yaml", "--json")
    assert answer.code == 0, answer.err
    digest = json.loads(answer.out)["digest"]
    normal = BundleStore(site.folder / "registry").read(MODEL, digest).profile.normal
    assert normal is not None
    usual = normal.signals["serving_latency"]["answers: time"]
    assert usual.level == pytest.approx(4 / np.log(2), abs=0.05), "in powers of two"
    answer = run("calibrate", "--data", "timed.parquet", "--config", "untimed.yaml")
    assert answer.code == 2
    said = " ".join(answer.err.split())
    assert "serving_latency (serving) lacks 4 weeks" in said
    assert "the log lacks times of the broker: the columns of log.received and log.answered" in said


def test_a_folder_is_calibrated_and_a_dry_run_does_not_publish_it(run: Run, site: Site, tmp_path: Path):
    place = site.folder / "registry" / MODEL / site.digest
    config = tmp_path / "elsewhere.yaml"
    config.write_text(CONFIG.format(folder=tmp_path / "data", bundle="partitions: 2"))
    command = ("calibrate", "--data", "short.parquet", "--config", str(config), "--bundle", str(place))
    answer = run(*command, "--dry-run")
    assert (answer.code, "lacks 1 week" in " ".join(answer.err.split())) == (2, True)
    assert not (tmp_path / "data" / "registry" / MODEL).exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--config", "nobundle.yaml"], "name a digest or a folder: --bundle"),
        (["--config", "my.yaml", "--model", "letters"], "letters"),
        (["--config", "my.yaml", "--source", "weather=w.parquet"], "no source 'weather' is registered"),
        (["--config", "my.yaml", "--source", "weather"], "--source weather"),
    ],
)
def test_what_is_not_clear_is_bad_input(run: Run, options: list[str], said: str):
    answer = run("calibrate", "--data", "log.parquet", *options)
    assert answer.code == 2
    assert said in " ".join(answer.err.split())


def test_a_log_that_is_none_and_a_bundle_that_is_none_are_refused(run: Run):
    assert run("calibrate", "--data", "none.parquet", "--config", "my.yaml").code == 2
    refused = run("calibrate", "--data", "log.parquet", "--config", "my.yaml", "--bundle", "0" * 64)
    assert refused.code == 1


def test_the_champion_is_the_one_that_the_ledger_knows(place: Place):
    settings = load_config(place.config).settings
    with reading(settings) as ledger:
        (status,) = status_of(settings, ledger).models
    assert calibrating._champion(settings, "parcels") == (status.digest or None)
    assert status.digest
