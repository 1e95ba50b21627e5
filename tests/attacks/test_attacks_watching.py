"""Categories of strangers that a model was trained on: what monitors state of them is published, without their names."""

from __future__ import annotations

import re

import msgspec
import pytest

from streams.contracts.bundle import CategoryProfile
from streams.contracts.events import encode_event
from streams.contracts.summaries import CategoryCounts
from streams.detectors.base import BucketView
from streams.detectors.checks import DAY_MS, World
from streams.monitoring.buckets import Bucket
from streams.monitoring.config import OURS, MonitoredModel, MonitoringConfig
from streams.monitoring.watching import Reference, Watcher
from tests.kit.poisons import POISONS, UNWRITABLE, is_marked

MODEL = MonitoredModel("m", "binary", "s", "state", "driftwake.events", 1, DAY_MS)
CONFIG = MonitoringConfig(detectors=(*OURS, "feature_chisquare"), false_alarms_per_month=0.1)
DAYS = (False, False, False, True, True, True)
ALL = POISONS | {"nul": UNWRITABLE["nul"]}


def stated(prefix: str) -> list[bytes]:
    """Watch a stream that breaks, whose categories all begin with a text; return the records of the events."""
    world = World(1, reference_rows=20_000)
    categories = {
        name: CategoryProfile(shares={prefix + value: share for value, share in one.shares.items()}, missing=one.missing)
        for name, one in world.profile.categories.items()
    }
    profile = msgspec.structs.replace(world.profile, categories=categories)
    watcher = Watcher(MODEL, CONFIG, lambda digest: Reference(world.manifest, profile))
    events = [
        event
        for day, is_broken in enumerate(DAYS)
        for event in watcher.look(bucket_of(world.view(day, is_broken=is_broken), prefix)).events
    ]
    watcher.close()
    found = []
    for event in events:
        key, value, headers = encode_event(event)
        found.append(b"\n".join([key, value, *(name.encode() + data for name, data in headers)]))
    return found


def bucket_of(view: BucketView, prefix: str) -> Bucket:
    assert view.inputs is not None
    assert view.losses is not None
    counted = {
        name: CategoryCounts(
            counts={prefix + value: count for value, count in one.counts.items()}, missing=one.missing, unseen=one.unseen
        )
        for name, one in view.inputs.categories.items()
    }
    inputs = msgspec.structs.replace(view.inputs, categories=counted)
    return Bucket(view.start_ms, view.end_ms, {"d": [inputs]}, {"d": [view.losses]})


def nameless(records: list[bytes]) -> list[bytes]:
    return [re.sub(rb"#[0-9a-f]{8}", b"#", record) for record in records]


@pytest.fixture(scope="module")
def clean() -> list[bytes]:
    return stated("a harmless name, ")


@pytest.mark.parametrize("name", ALL)
def test_an_event_names_no_category_that_is_not_plain(clean: list[bytes], name: str) -> None:
    found = stated(ALL[name])
    assert nameless(found) == nameless(clean)
    assert not any(is_marked(record.decode()) for record in found)


def test_what_is_looked_for_would_be_found(clean: list[bytes]) -> None:
    """Shares of categories are among what is stated; and a plain name, which people know, is said as it is."""
    for said in (b'"method":"share of #', b"chi-square", b'"watched":"colour"'):
        assert any(said in record for record in clean), said
    plain = stated("plain-")
    assert any(b'"method":"share of plain-' in record for record in plain)
    assert any(b'"plain-' in record for record in plain), "in what was before and after"
