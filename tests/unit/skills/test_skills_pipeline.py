import json
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skills import build_dataset, compare_models, import_history, train_xgboost
from skills.__main__ import main
from skills._kit import export
from skills._kit.errors import BundleError, DivergedError, InputError, LakeReadError, NoDataError, ParityError, SkillError
from skills._kit.frames import floats, integers, read_table, with_columns, write_table
from skills._kit.scoring import score_table
from skills._kit.skill import carry_out
from streams.contracts.features import Window
from streams.inference.session import Scorer, load
from streams.inference.store import BundleStore
from streams.lake.lake import Lake
from tests.kit.shops import BURSTS, DAY_MS, HOUR_MS, MODEL, SCHEMA, SKEW_MS, Orders, into_lake, orders, serve

TRAIN_MS, SEALED_MS = 18 * DAY_MS, 4 * DAY_MS
FAST = {"rounds": 40, "patience": 10}


class Shop(NamedTuple):
    """A lake with history, and a first model that doesn't know the planted window."""

    given: Orders
    folder: Path
    common: dict[str, Any]
    data: build_dataset.Output
    champion: train_xgboost.Output


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    given = orders(4_000, 1, planted=BURSTS)
    into_lake(given, folder / "lake")
    common = {"lake": str(folder / "lake"), "registry": str(folder / "registry"), "model": MODEL}
    ranges = {"until_ms": given.end_ms, "train_ms": TRAIN_MS, "sealed_ms": SEALED_MS}
    first = {"schema": given.schema, "skew_ms": SKEW_MS}
    data = build_dataset.run(build_dataset.Input(**common, **ranges, **first), made(folder / "data"))
    champion = train_xgboost.run(
        train_xgboost.Input(**common, **first, train=data.train, parameters=FAST), made(folder / "train")
    )
    return Shop(given, folder, common | {"champion": champion.digest}, data, champion)


def made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def dataset(shop: Shop, work: Path, **changed: Any) -> build_dataset.Output:
    ranges = {"until_ms": shop.given.end_ms, "train_ms": TRAIN_MS, "sealed_ms": SEALED_MS}
    return build_dataset.run(build_dataset.Input(**{**shop.common, **ranges, **changed}), work)


def trained(shop: Shop, work: Path, **changed: Any) -> train_xgboost.Output:
    arguments = {**shop.common, "train": shop.data.train, "parameters": FAST, **changed}
    return train_xgboost.run(train_xgboost.Input(**arguments), work)


def test_no_label_counts_before_it_was_known(shop: Shop):
    train, sealed = pq.read_table(shop.data.train), pq.read_table(shop.data.sealed)
    cut = shop.given.end_ms - SEALED_MS
    assert train.num_rows == shop.data.rows_train > 1_000
    assert sealed.num_rows == shop.data.rows_sealed > 300
    assert max(train["known_ms"].to_pylist()) < cut <= min(sealed["time_ms"].to_pylist())
    assert max(sealed["known_ms"].to_pylist()) < shop.given.end_ms
    assert min(train["time_ms"].to_pylist()) >= shop.given.end_ms - TRAIN_MS
    times, known = shop.given.table["time_ms"].to_numpy(), shop.given.table["known_ms"].to_numpy()
    in_train = (times >= shop.given.end_ms - TRAIN_MS) & (times < cut)
    assert shop.data.rows_train == (in_train & (known < cut)).sum() < in_train.sum()
    assert shop.data.positives == (floats(train, "label") > 0.5).sum()


def test_both_ranges_end_before_the_labels_that_are_still_to_come(shop: Shop, tmp_path: Path):
    delay, end = 3 * HOUR_MS, shop.given.end_ms
    data = dataset(shop, tmp_path, label_delay_ms=delay)
    train, sealed = pq.read_table(data.train), pq.read_table(data.sealed)
    cut = end - delay - SEALED_MS
    assert max(train["time_ms"].to_pylist()) < cut <= min(sealed["time_ms"].to_pylist())
    assert max(sealed["time_ms"].to_pylist()) < end - delay
    assert cut < max(train["known_ms"].to_pylist()) < end - SEALED_MS, "labels that the judged model would have had"
    times, known = shop.given.table["time_ms"].to_numpy(), shop.given.table["known_ms"].to_numpy()
    whole = (times >= cut) & (times < end - delay)
    assert data.rows_sealed == (whole & (known < end)).sum() > 0.95 * whole.sum()
    assert shop.data.rows_sealed < 0.99 * ((times >= end - SEALED_MS) & (times < end)).sum(), (
        "without it the newest have no labels"
    )


def test_window_columns_are_the_exact_ones(shop: Shop, tmp_path: Path):
    rates = Window(aggregate="mean", source="outcomes", column="label", by=("shop",), range_ms=6 * HOUR_MS)
    data = dataset(shop, tmp_path, windows=(BURSTS, rates))
    sealed = pq.read_table(data.sealed)
    expected = shop.given.facts.columns([BURSTS, rates], sealed)
    for index, window in enumerate((BURSTS, rates)):
        assert np.array_equal(floats(sealed, window.name), expected[:, index], equal_nan=True)
    assert data.digest != shop.data.digest
    assert data == dataset(shop, tmp_path, windows=(BURSTS, rates))


def test_corrections_count_from_when_they_were_known_and_suspects_never(shop: Shop, tmp_path: Path):
    lake, end, rows = Lake(tmp_path / "lake"), shop.given.end_ms, 300
    given = shop.given._replace(table=shop.given.table.slice(shop.given.table.num_rows - 1_500, rows))
    flags: list[object] = [["suspect"] if index == 7 else [] for index in range(rows)]
    serve(given, tmp_path / "lake", np.full(rows, 0.5), "d" * 64, flags=flags)
    corrected = lake.read(MODEL, "outcomes").slice(0, 3)
    for name, values in {"label": [9.0, 9.0, 9.0], "revision": [1, 1, 1], "known_ms": [end - 50, end + 50, end - 10]}.items():
        place = corrected.schema.get_field_index(name)
        corrected = corrected.set_column(place, corrected.schema.field(name), pa.array(values, corrected.schema.field(name).type))
    lake.append(MODEL, "outcomes", corrected, {"orders/0": rows + 3})
    span = {"train_ms": end - int(given.table["time_ms"][0].as_py()), "sealed_ms": end - int(given.table["time_ms"][200].as_py())}
    data = dataset(shop, tmp_path, lake=str(tmp_path / "lake"), **span)
    before = {one["id"]: one["label"] for one in pq.read_table(data.train).to_pylist()}
    ids = corrected["id"].to_pylist()
    assert all(before[name] != 9.0 for name in ids), "the correction came after the training range"
    assert given.table["id"][7].as_py() not in before
    sealed_only = {**span, "train_ms": span["train_ms"] + 1, "sealed_ms": span["train_ms"]}
    with pytest.raises(NoDataError):
        dataset(shop, tmp_path, lake=str(tmp_path / "lake"), **sealed_only)
    late = dataset(shop, tmp_path, lake=str(tmp_path / "lake"), **{**span, "sealed_ms": 1, "until_ms": end})
    after = {one["id"]: one["label"] for one in pq.read_table(late.train).to_pylist()}
    assert [after[name] == 9.0 for name in ids] == [True, False, True]


def test_ranges_without_meaning_are_refused(shop: Shop, tmp_path: Path):
    for wrong in (
        {"sealed_ms": 0},
        {"train_ms": SEALED_MS},
        {"until_ms": DAY_MS},
        {"label_delay_ms": -1},
        {"label_delay_ms": TRAIN_MS},
    ):
        with pytest.raises(InputError):
            dataset(shop, tmp_path, **wrong)
    with pytest.raises(NoDataError):
        dataset(shop, tmp_path, until_ms=20 * DAY_MS)


def test_few_rows_are_repeated_so_that_the_latency_is_that_of_a_full_batch(shop: Shop):
    scorer = load(BundleStore(Path(shop.common["registry"])), MODEL, shop.champion.digest)
    asked = []

    class Spy:
        manifest = scorer.manifest

        def score(self, columns: Any, windows: Any, times: Any) -> Any:
            asked.append(len(times))
            return scorer.score(columns, windows, times)

    assert compare_models._latency(Spy(), pq.read_table(shop.data.sealed).slice(0, 25)) > 0
    assert asked == [1_000] * 5


def test_a_published_bundle_can_be_served(shop: Shop):
    scorer = load(BundleStore(Path(shop.common["registry"])), MODEL, shop.champion.digest)
    manifest = scorer.manifest
    assert manifest.skew_ms == SKEW_MS
    assert manifest.metrics["auc"].low < manifest.metrics["auc"].value < manifest.metrics["auc"].high
    assert set(manifest.metrics) == {"auc", "log_loss", "brier"}
    assert manifest.lineage["libraries"]["xgboost"]
    assert shop.champion.onnx_max_difference <= 1e-5
    assert len(manifest.golden.scores) == 20
    profile = scorer.profile
    assert sum(profile.numbers["amount"].shares) == pytest.approx(1)
    assert len(profile.numbers["amount"].edges) == 19
    assert profile.numbers["weight"].missing == pytest.approx(0.03, abs=0.01)
    assert sum(profile.categories["colour"].shares.values()) == pytest.approx(1)
    assert profile.loss_mean > 0


def test_scores_are_compared_with_those_of_the_model_that_serves(shop: Shop):
    """Validation is by another one, fitted on fewer rows: of its scores hardly one is in the bin of the serving model's."""
    bundle = BundleStore(shop.folder / "registry").read(MODEL, shop.champion.digest)
    rows = pq.read_table(shop.data.train).sort_by([("time_ms", "ascending"), ("id", "ascending")])
    later = rows.slice(round(rows.num_rows * (1 - train_xgboost.LATER)))
    profile = bundle.profile
    place = np.searchsorted(profile.score.edges, score_table(Scorer(bundle), later), side="right")
    shares = np.bincount(place, minlength=len(profile.score.shares)) / later.num_rows
    assert profile.score.shares == pytest.approx(shares, abs=2 / later.num_rows)
    assert profile.outcomes is not None
    assert profile.outcomes.rows == pytest.approx(shares * later.num_rows, abs=2)
    assert sum(profile.outcomes.positives) == floats(later, "label").sum()


def test_keys_and_tagged_columns_don_t_travel_with_a_bundle(shop: Shop):
    store = BundleStore(Path(shop.common["registry"]))
    reference = store.read_reference(MODEL, shop.champion.digest)
    assert set(reference.column_names) == {"amount", "weight", "shop", "colour", "label", "dw:score"}
    assert "email" not in store.read(MODEL, shop.champion.digest).profile.categories


def test_training_again_gives_the_same_digest_and_another_seed_another(shop: Shop, tmp_path: Path):
    first = trained(shop, tmp_path / "a")
    assert trained(shop, tmp_path / "b").digest == first.digest
    assert trained(shop, tmp_path / "c", seed=1).digest != first.digest


def test_what_is_new_is_learnt_before_it_is_validated_on(shop: Shop, tmp_path: Path):
    """Nothing bursts before the last seventh of the rows, and labels take longer than that to come."""
    table = read_table(dataset(shop, made(tmp_path / "data"), windows=(BURSTS,)).train)
    times, counted, rng = integers(table, "time_ms"), floats(table, BURSTS.name).copy(), np.random.default_rng(0)
    first = round(len(times) * 0.86)
    labels = (rng.random(len(times)) < 0.1) | (counted > np.quantile(counted, 0.8))
    counted[:first], labels[:first] = 0, rng.random(first) < 0.1
    table = table.drop_columns(["label", "known_ms", BURSTS.name]).append_column("known_ms", pa.array(times + 4 * DAY_MS))
    table = with_columns(table, ["label", BURSTS.name], [labels.astype(np.float64), counted])
    file = tmp_path / "new.parquet"
    write_table(table, file)
    given = {"train": str(file), "windows": (BURSTS,)}
    unaware = trained(shop, tmp_path / "a", **given).metrics["auc"].value
    aware = trained(shop, tmp_path / "b", **given, since_ms=int(times[first])).metrics["auc"].value
    assert unaware < 0.6
    assert aware > unaware + 0.1
    for nothing in (None, int(times[-50]), int(times[0]) - 1):
        assert trained(shop, tmp_path / "c", **given, since_ms=nothing).metrics["auc"].value == unaware


def test_a_window_that_the_data_lack_is_computed(shop: Shop, tmp_path: Path):
    data = dataset(shop, made(tmp_path / "data"), windows=(BURSTS,))
    given = trained(shop, tmp_path / "b", train=data.train, windows=(BURSTS,))
    assert trained(shop, tmp_path / "a", windows=(BURSTS,)).metrics == given.metrics


def test_the_planted_window_wins_on_sealed_rows(shop: Shop, tmp_path: Path):
    challenger = trained(shop, tmp_path, windows=(BURSTS,))
    asked = compare_models.Input(**shop.common, challenger=challenger.digest, sealed=shop.data.sealed)
    found = compare_models.run(asked, tmp_path)
    assert found.rows == shop.data.rows_sealed
    assert found.metric.name == "auc"
    assert found.metric.difference.low > 0.02
    assert found.metric.difference.low999 < found.metric.difference.low
    assert found.onnx_max_difference == challenger.onnx_max_difference
    assert found.calibration is not None
    assert found.latency_ms_per_1000 is not None
    assert {one.slice.split("=")[0] for one in found.slices} <= {"shop", "colour"}
    assert all(one.rows >= 200 for one in found.slices)


def test_a_model_is_no_better_than_itself(shop: Shop, tmp_path: Path):
    asked = compare_models.Input(**shop.common, challenger=shop.champion.digest, sealed=shop.data.sealed)
    difference = compare_models.run(asked, tmp_path).metric.difference
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)


def test_live_scores_are_compared_by_slot_and_bundle(shop: Shop, tmp_path: Path):
    challenger = trained(shop, tmp_path, windows=(BURSTS,)).digest
    rows, labels = shop.given.table.num_rows, floats(shop.given.table, "label")
    bad, good = np.random.default_rng(0).random(rows), 0.25 + 0.5 * labels
    lake = tmp_path / "live"
    serve(shop.given, lake, bad, shop.champion.digest, shadow=("challenger", challenger, good))
    end = shop.given.end_ms
    live = compare_models.Live(since_ms=end - 5 * DAY_MS, until_ms=end, champion_slot="champion", challenger_slot="challenger")
    asked = compare_models.Input(**{**shop.common, "lake": str(lake)}, challenger=challenger, live=live)
    found = compare_models.run(asked, tmp_path)
    known = shop.given.table["known_ms"].to_numpy()
    assert found.rows == ((known >= end - 5 * DAY_MS) & (known < end)).sum()
    assert found.metric.challenger.value == 1.0
    assert found.metric.difference.low > 0.3
    other_slot = msgspec.structs.replace(live, challenger_slot="previous")
    with pytest.raises(NoDataError):
        compare_models.run(msgspec.structs.replace(asked, live=other_slot), tmp_path)
    turned = {"champion": challenger, "challenger": shop.champion.digest}
    slots = msgspec.structs.replace(live, champion_slot="challenger", challenger_slot="champion")
    assert compare_models.run(msgspec.structs.replace(asked, live=slots, **turned), tmp_path).metric.difference.high < -0.3


def test_a_graph_that_disagrees_is_never_published(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    published = set(Path(shop.common["registry"]).rglob("*"))
    with pytest.raises(ParityError) as refused:
        trained(shop, tmp_path, seed=77)
    assert refused.value.kind == "parity_fail"
    assert set(Path(shop.common["registry"]).rglob("*")) == published


def test_labels_of_one_class_can_t_be_learned(shop: Shop, tmp_path: Path):
    table = pq.read_table(shop.data.train)
    place = table.schema.get_field_index("label")
    pq.write_table(table.set_column(place, "label", pa.array(np.zeros(table.num_rows))), tmp_path / "one.parquet")
    with pytest.raises(DivergedError):
        trained(shop, tmp_path, train=str(tmp_path / "one.parquet"))
    pq.write_table(table.slice(0, 50), tmp_path / "few.parquet")
    with pytest.raises(NoDataError):
        trained(shop, tmp_path, train=str(tmp_path / "few.parquet"))


def test_regression_is_trained_and_compared(tmp_path: Path):
    given = orders(2_500, 4, planted=BURSTS, task="regression")
    into_lake(given, tmp_path / "lake")
    common = {"lake": str(tmp_path / "lake"), "registry": str(tmp_path / "registry"), "model": MODEL}
    first = {"schema": given.schema, "skew_ms": SKEW_MS}
    ranges = {"until_ms": given.end_ms, "train_ms": TRAIN_MS, "sealed_ms": SEALED_MS}
    data = build_dataset.run(build_dataset.Input(**common, **ranges, **first, windows=(BURSTS,)), tmp_path)
    arguments = {**common, **first, "train": data.train, "parameters": FAST}
    plain = train_xgboost.run(train_xgboost.Input(**arguments), tmp_path)
    better = train_xgboost.run(train_xgboost.Input(**arguments, windows=(BURSTS,)), tmp_path)
    asked = compare_models.Input(**common, champion=plain.digest, challenger=better.digest, sealed=data.sealed)
    found = compare_models.run(asked, tmp_path)
    assert found.metric.name == "rmse"
    assert found.metric.challenger.value < found.metric.champion.value
    assert found.metric.difference.low > 0, "higher is better, whatever the metric"
    assert found.calibration is None


def test_history_is_imported_once_and_under_other_names(tmp_path: Path):
    table, other = orders(500, 2).table, {"id": "order", "time_ms": "at", "known_ms": "told", "label": "bad"}
    table = table.rename_columns([other.get(name, name) for name in table.column_names])
    pq.write_table(table, tmp_path / "history.parquet")
    roles = import_history.Roles(id="order", time_ms="at", known_ms="told", label="bad")
    asked = import_history.Input(
        lake=str(tmp_path / "lake"), model=MODEL, schema=SCHEMA, table=str(tmp_path / "history.parquet"), roles=roles, name="past"
    )
    for _ in range(2):
        assert import_history.run(asked, tmp_path).rows == 500
    assert Lake(tmp_path / "lake").read(MODEL, "outcomes").num_rows == 500
    with pytest.raises(InputError, match="no column"):
        import_history.run(msgspec.structs.replace(asked, roles=import_history.Roles()), tmp_path)


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"champion": "f" * 64}, BundleError),
        ({"lake": "no/such/lake"}, LakeReadError),
        ({"windows": [{"type": "window"}]}, InputError),
    ],
)
def test_what_goes_wrong_has_a_kind(shop: Shop, tmp_path: Path, changed: dict[str, Any], kind: type[SkillError]):
    ranges = {"until_ms": shop.given.end_ms, "train_ms": TRAIN_MS, "sealed_ms": SEALED_MS}
    with pytest.raises(kind):
        carry_out(build_dataset, json.dumps({**shop.common, **ranges, **changed}).encode(), tmp_path)


def test_the_command_answers_in_a_file(shop: Shop, tmp_path: Path):
    ranges = {"until_ms": shop.given.end_ms, "train_ms": TRAIN_MS, "sealed_ms": SEALED_MS}
    (tmp_path / "in.json").write_text(json.dumps({**shop.common, **ranges}))
    places = ["--input", str(tmp_path / "in.json"), "--output", str(tmp_path / "out.json"), "--work", str(tmp_path / "work")]
    assert main(["build_dataset", *places]) == 0
    answer = json.loads((tmp_path / "out.json").read_text())
    assert answer["ok"]
    assert answer["result"]["rows_train"] == shop.data.rows_train
    assert main(["build_datasets", *places]) == 1
    answer = json.loads((tmp_path / "out.json").read_text())
    assert answer["error"]["kind"] == "bad_input"
    assert "build_dataset" in answer["error"]["message"]
    assert not list(tmp_path.glob("*.part"))
