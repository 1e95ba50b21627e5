"""What a diagnosis reads: some hundred thousand requests at most, suspect ones among them, and it says of more the same."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from skills import diagnose_drift
from skills._kit import recent
from skills._kit.recent import Range, reaching, read_recent
from tests.kit.served import Served, diagnosed, late, served_in
from tests.kit.shops import DAY_MS, MODEL, serve


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return served_in(tmp_path_factory.mktemp("served"))


def whole(served: Served, folder: Path) -> Range:
    """All requests but those of the first two days, whose labels came with them."""
    lake = serve(served.given, folder, served.scores, served.common["champion"])
    return Range(lake, MODEL, served.given.end_ms, 4 * DAY_MS)


def test_of_few_requests_all_are_read_and_of_many_a_part(served: Served, tmp_path: Path) -> None:
    of = whole(served, tmp_path)
    number = of.lake.count(MODEL, "predictions", since_ms=of.since_ms)
    assert reaching(of, 0, number).one_in == 1
    assert reaching(of, 0, number - 1).one_in == 2
    assert reaching(of, 0, number // 8).one_in == 8 * 2
    assert reaching(of, 2 * number, number // 8) == of._replace(recent_ms=8 * DAY_MS), "a longer range is read for want of rows"


def test_requests_are_read_with_their_outcomes_and_what_came_before(served: Served, tmp_path: Path) -> None:
    of = whole(served, tmp_path)
    every, some = (read_recent(of._replace(one_in=one_in), served.given.schema) for one_in in (1, 4))
    for name in ("predictions", "outcomes", "before"):
        all_of_them, part = getattr(every, name), getattr(some, name)
        assert set(part["id"].to_pylist()) < set(all_of_them["id"].to_pylist())
        assert part.num_rows == pytest.approx(all_of_them.num_rows / 4, rel=0.25)
    assert [part.num_rows for part in some.stretches] == pytest.approx([part.num_rows / 4 for part in every.stretches], rel=0.25)


def test_the_cause_is_the_same(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    amount = served.given.table["amount"].to_numpy() + np.where(late(served), 3.0, 0.0)
    events = ("feature_drift",)
    every = diagnosed(served, tmp_path / "every", events, amount=amount.tolist())
    monkeypatch.setattr(diagnose_drift, "reaching", partial(recent.reaching, most=300))
    some = diagnosed(served, tmp_path / "some", events, amount=amount.tolist())
    assert some.label_state.rows < every.label_state.rows / 2
    assert [one.cause for one in some.causes] == [one.cause for one in every.causes]
    assert [one.feature for one in some.moved][:1] == [one.feature for one in every.moved][:1] == ["amount"]
    assert some.label_state.coverage == pytest.approx(every.label_state.coverage or 0, abs=0.1)


def test_amounts_in_cents_are_told_as_such(served: Served, tmp_path: Path) -> None:
    amount = served.given.table["amount"].to_numpy()
    is_late = late(served)
    flags = [["far_outside"] if flagged else [] for flagged in is_late & (np.abs(amount) > 0.1)]
    found = diagnosed(served, tmp_path, ("data_quality",), amount=np.where(is_late, 100 * amount, amount).tolist(), flags=flags)
    assert [(one.feature, one.factor) for one in found.rescaled] == [("amount", 100.0)]
    assert diagnosed(served, tmp_path / "calm", ()).rescaled == []
