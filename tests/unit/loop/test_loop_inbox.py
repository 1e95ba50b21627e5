"""Which watermarks a loop acts at."""

import pytest

from daemon.door import Door, Inbox
from streams.runtime.watermark import watermark_record


def told(writer: str, watermark_ms: int) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    return watermark_record(writer, watermark_ms)


def acted_at(door: Door, inbox: Inbox, *said: tuple[str, int]) -> list[int]:
    """The watermarks that are news, as a loop that is always at once finds them."""
    found = []
    for one in said:
        door.take_event(*told(*one))
        if inbox.news.is_set():
            inbox.news.clear()
            found.append(inbox.watermark_ms)
    return found


@pytest.mark.parametrize("model", ["toys", "a/b"])
def test_in_a_replay_what_lies_inside_a_bucket_is_passed_by(model: str) -> None:
    inbox = Inbox()
    door, source, monitoring = Door({}, {model: inbox}, is_replay=True), f"source/{model}", f"monitoring/{model}"
    assert acted_at(door, inbox, (monitoring, 100)) == [100]
    assert acted_at(door, inbox, (source, 200), (monitoring, 120), (monitoring, 199), (monitoring, 200)) == [200]
    # Delivered again after a restart of Faust.
    assert acted_at(door, inbox, (source, 200), (monitoring, 199), (monitoring, 200)) == []
    assert acted_at(door, inbox, (source, 300), (f"monitoring/{model}s", 300), (monitoring, 320)) == [320]


def test_live_nobody_says_how_far_to_wait() -> None:
    inbox = Inbox()
    door = Door({}, {"toys": inbox})
    assert acted_at(door, inbox, ("source/toys", 10**12), ("monitoring/toys", 100), ("monitoring/toys", 120)) == [100, 120]


def test_another_stage_moves_nothing() -> None:
    inbox = Inbox()
    assert acted_at(Door({}, {"toys": inbox}), inbox, ("measuring/toys", 100), ("monitoring", 100), ("toys", 100)) == []
