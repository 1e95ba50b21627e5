"""The same lake in a folder and on a real S3 server: the same rows, one winner of each commit, and no kill that hurts."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from skills import build_dataset
from streams.contracts.errors import LakeError
from streams.lake.compaction import FEW, Compacted, compact
from streams.lake.lake import Lake
from streams.runtime.config import environment
from tests.kit import lake_keeper, shops
from tests.kit.lake_keeper import TABLE, tidy
from tests.kit.lakes import DAY, MODEL, many_commits, outcomes, predictions
from tests.kit.object_store import ObjectStore, ObjectStoreAbsentError, counted, running

ROOT = Path(__file__).parents[2]
COMMITS = 7


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    try:
        with running(tmp_path_factory.mktemp("s3")) as store:
            yield store
    except ObjectStoreAbsentError as error:
        pytest.skip(str(error))


@pytest.fixture
def s3(server: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    return server


# The server is a hundred megabytes to fetch, so it is for the full suite.
@pytest.fixture(params=["folder", "file", pytest.param("s3", marks=pytest.mark.full)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    folder = tmp_path / "a lake"
    match request.param:
        case "folder":
            return str(folder)
        case "file":
            return folder.as_uri()
        case _:
            store: ObjectStore = request.getfixturevalue("s3")
            return store.url(tmp_path.name)


def test_every_place_holds_the_same(place: str, tmp_path: Path):
    lake, reader, reference = Lake(place), Lake(place), Lake(tmp_path / "reference")
    assert not lake.exists(MODEL, TABLE)
    assert lake.positions(MODEL, TABLE) == {}
    for one in (lake, reference):
        many_commits(one, 3, FEW + 1)
        one.append(MODEL, "outcomes", outcomes(5, DAY, 3 * DAY), {"t/0": 3})
    with pytest.raises(LakeError, match=f"stored up to {FEW + 1}"):
        lake.append(MODEL, TABLE, predictions(1), {"t/0": FEW + 1})
    version = lake.version(MODEL, TABLE)
    named = reader.read(MODEL, TABLE)
    assert named.equals(reference.read(MODEL, TABLE))
    spans = [(None, None), (DAY, 2 * DAY), (DAY // 2, None), (None, DAY + 7)]
    for since, until in spans:
        given = {"since_ms": since, "until_ms": until}
        assert reader.read(MODEL, TABLE, **given).equals(reference.read(MODEL, TABLE, **given))
    known = reader.read(MODEL, "outcomes", ["id"], since_ms=DAY, until_ms=2 * DAY, time_column="known_ms")
    assert known.to_pydict() == {"id": [f"r{DAY - 5}"]}
    assert compact(lake, MODEL, TABLE, left_ms=3 * DAY) == Compacted(3 * (FEW + 1), 3)
    tidy(lake, version)
    many_commits(lake, 2, 1)
    assert reader.read(MODEL, TABLE, version=version).equals(named)
    newest = reader.read(MODEL, TABLE, ["time_ms"])["time_ms"].to_pylist()
    assert len([time for time in newest if time >= DAY]) == 4 * (FEW + 1) + 2
    assert reader.positions(MODEL, TABLE) == {"t/0": FEW + 2}
    assert reader.marks(MODEL, TABLE) == {"t/0/source": (FEW + 1) * 1_000}


def test_of_writers_at_the_same_time_one_wins_each_commit(place: str):
    """None hears that it has won when another has. A winner may hear of an error behind its commit: the table tells it."""
    writers = [Lake(place) for _ in range(4)]
    writers[0].append(MODEL, TABLE, predictions(0), {"t/0": 1})
    begin = threading.Barrier(len(writers))

    def write(writer: Lake, turn: int) -> int:
        begin.wait()
        try:
            writer.append(MODEL, TABLE, predictions(turn), {"t/0": turn + 1})
        except LakeError:
            return 0
        return 1

    with ThreadPoolExecutor(len(writers)) as pool:
        won = [sum(pool.map(write, writers, [turn] * len(writers))) for turn in range(1, 11)]
    assert set(won) <= {0, 1}
    assert sum(won) > 5
    assert Lake(place).read(MODEL, TABLE, ["time_ms"]).to_pydict() == {"time_ms": list(range(11))}


def test_a_dataset_is_the_same_from_every_place(place: str, tmp_path: Path):
    given = shops.orders(1_500, 3)
    found = []
    for number, root in enumerate((place, str(tmp_path / "reference"))):
        shops.into_lake(given, root)
        (work := tmp_path / f"work-{number}").mkdir()
        asked = build_dataset.Input(
            lake=root, registry=str(tmp_path / "registry"), model=shops.MODEL, champion=None, until_ms=given.end_ms,
            train_ms=20 * DAY, sealed_ms=5 * DAY, schema=given.schema,
        )  # fmt: skip
        found.append(build_dataset.run(asked, work))
    assert found[0].digest == found[1].digest
    assert found[0].rows_train > 100


def keeper(place: str, mode: str, version: int, variables: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.kit.lake_keeper", place, mode, str(version)]
    given = {**environment(), **variables}
    return subprocess.Popen(command, cwd=ROOT, env=given, stdout=subprocess.PIPE)  # noqa: S603 - our own command


def table_to_keep(folder: Path) -> tuple[Lake, int]:
    """Make a table with something to do of every kind; return a version that is to be spared."""
    lake = Lake(folder)
    version = many_commits(lake, lake_keeper.DAYS, 2)
    many_commits(lake, lake_keeper.DAYS, COMMITS - 3)
    handle = lake.handle(MODEL, TABLE)
    assert handle is not None
    handle.create_checkpoint()  # commits between this one and the spared version may go
    many_commits(lake, lake_keeper.DAYS, 1)
    return lake, version


@pytest.mark.full
@pytest.mark.timeout(300)
def test_a_kill_before_any_request_that_changes_something_costs_nothing(s3: ObjectStore, tmp_path: Path):
    """Each life is killed one request later than the one before, until one gets to the end: compaction, retention and vacuum."""
    made, version = table_to_keep(tmp_path / "made")
    rows, named = made.read(MODEL, TABLE), made.read(MODEL, TABLE, version=version)
    expected = rows.filter(rows["time_ms"].to_numpy() >= DAY)
    deaths = 0
    while True:
        prefix = f"{tmp_path.name}-{deaths}"
        shutil.copytree(tmp_path / "made", s3.bucket / prefix)
        lives: list[subprocess.Popen[bytes]] = []

        def goes_on(number: int, lives: list[subprocess.Popen[bytes]] = lives, last: int = deaths) -> bool:
            if number > last:
                lives[0].kill()
            return number <= last

        with counted(s3, goes_on) as port:
            lives.append(keeper(s3.url(prefix), "once", version, s3.environment(port)))
            with lives[0] as life:
                life.communicate(timeout=60)
        lake = Lake(s3.url(prefix))
        assert lake.positions(MODEL, TABLE) == {"t/0": COMMITS}
        assert lake.marks(MODEL, TABLE) == {"t/0/source": (COMMITS - 1) * 1_000}
        assert lake.read(MODEL, TABLE, since_ms=DAY).equals(expected)
        assert lake.read(MODEL, TABLE, version=version).equals(named)
        if life.returncode == 0:
            break
        assert life.returncode == -signal.SIGKILL
        tidy(lake, version)  # the next life completes it
        assert lake.read(MODEL, TABLE).equals(expected)
        assert lake.read(MODEL, TABLE, version=version).equals(named)
        many_commits(lake, 1, 1)
        assert lake.positions(MODEL, TABLE) == {"t/0": COMMITS + 1}
        deaths += 1
    assert deaths >= 8


@pytest.mark.parametrize("said", [1, 6, 8, 11, 17])
def test_a_kill_of_who_keeps_a_folder_costs_nothing(tmp_path: Path, said: int):
    """Killed wherever it is: every commit that it told of is there, whole and once."""
    lake, version = table_to_keep(tmp_path)
    named = lake.read(MODEL, TABLE, version=version)
    with keeper(str(tmp_path), "always", version, {}) as life:
        assert life.stdout is not None
        told = [int(life.stdout.readline()) for _ in range(said)][-1]
        life.kill()
    lake = Lake(tmp_path)
    reached = lake.positions(MODEL, TABLE)["t/0"]
    assert reached >= told
    for _ in range(2):
        kept = lake.read(MODEL, TABLE, ["time_ms"], since_ms=DAY)
        assert kept.num_rows == 2 * (lake_keeper.DAYS - 1) * reached
        assert lake.marks(MODEL, TABLE) == {"t/0/source": (reached - 1) * 1_000}
        assert lake.read(MODEL, TABLE, version=version).equals(named)
        tidy(lake, version)
