from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.ledger.ids import IncidentId
from daemon.ledger.ledger import open_ledger
from daemon.ledger.records import Incident, Move
from daemon.places import Places
from daemon.triaging.config import TriagingConfig
from daemon.triaging.stage import Triaging
from daemon.triaging.triage import TRAINING, Silence, Standing, served_since, triage
from skills._kit.ranges import Lengths
from streams.contracts.events import DriftEvent
from tests.kit.control import DAY, MODEL, START, event

COOLDOWN = 7 * DAY
SILENCE = Silence(COOLDOWN, 28 * DAY)
LENGTHS = Lengths(90 * DAY, 14 * DAY)


def incident(cause: str, state: str = "open", moved_ms: int = START) -> Incident:
    return Incident(
        id=IncidentId(f"i-{cause}"),
        model=MODEL,
        cause=cause,
        state=state,
        opened_ms=START,
        moved_ms=moved_ms,
        requester="d",  # type: ignore[arg-type]
        champion="c",
    )


def decide(kind: str, *under_way: Incident, ended: tuple[Incident, ...] = (), **changes: object) -> str:
    return triage(event(START, kind, **changes), Standing("c", under_way, ended), SILENCE).what  # type: ignore[arg-type]


def test_a_confirmed_event_opens() -> None:
    assert decide("performance") == "open"
    assert decide("data_quality", incident("performance")) == "open"


def test_suspicion_and_all_clear_never_open_but_fold() -> None:
    for transition in ("suspected", "cleared"):
        assert decide("performance", transition=transition) == "ignore"
        assert decide("performance", incident("performance"), transition=transition) == "fold"


def test_one_training_incident_a_model() -> None:
    for kind in TRAINING - {"challenge", "request"}:
        for other in TRAINING:
            assert decide(kind, incident(other)) == "fold"


@pytest.mark.parametrize("kind", ["challenge", "request", "nonsense"])
def test_no_event_stands_for_what_only_people_order(kind: str) -> None:
    assert decide(kind) == "ignore"


def test_an_event_about_another_bundle_is_only_noted() -> None:
    assert decide("performance", digest="old") == "ignore"
    assert decide("performance", digest="c") == "open"


def test_cooldown_is_by_cause_and_after_a_swap_for_all_that_trains() -> None:
    last = START - COOLDOWN
    assert decide("performance", ended=(incident("performance", "no_action", last + 1),)) == "ignore"
    assert decide("performance", ended=(incident("performance", "no_action", last),)) == "open"
    assert decide("performance", ended=(incident("feature_drift", "no_action", START),)) == "open"
    assert decide("performance", ended=(incident("feature_drift", "closed", START),)) == "ignore"
    assert decide("data_quality", ended=(incident("feature_drift", "closed", START),)) == "open"


def test_what_is_said_of_the_inputs_calms_no_change_of_the_labels() -> None:
    assert decide("label_drift") == "open"
    assert decide("label_drift", incident("feature_drift")) == "fold"
    assert decide("score_drift", ended=(incident("feature_drift", "no_action"),)) == "ignore"
    assert decide("label_drift", ended=(incident("feature_drift", "no_action"),)) == "open"
    assert decide("feature_drift", ended=(incident("label_drift", "no_action"),)) == "open"
    assert decide("label_drift", ended=(incident("loss_drift", "closed"),)) == "ignore"


def test_what_moves_with_broken_data_is_diagnosed_with_it() -> None:
    for kind in ("feature_drift", "score_drift", "performance_estimate"):
        assert decide(kind, incident("data_quality")) == "fold"
        assert decide(kind, incident("data_quality", "diagnosed")) == "open", "its diagnosis is made"
    assert decide("loss_drift", incident("data_quality")) == "open"
    assert decide("label_drift", incident("data_quality")) == "open"
    both = incident("data_quality"), incident("performance")
    assert triage(event(START, "feature_drift"), Standing("c", both, ()), SILENCE).incident == "i-performance"


def test_a_break_and_the_drift_of_one_hour_are_one_incident_whichever_came_first(tmp_path: Path) -> None:
    for order in (1, -1):
        folder = tmp_path / str(order)
        with open_ledger(folder / "ledger.sqlite") as ledger:
            storm = [event(START + 1, "score_drift", name="a"), event(START + 1, "data_quality", name="b")]
            for one in [*storm, event(START + 1, "loss_drift", name="c")][::order]:
                ledger.take_event(one)
            Triaging(ledger, Places(MODEL, str(folder), folder, DAY), TriagingConfig(), LENGTHS).triage("c", START + 5)
            found = {one.cause: [said.kind for said in ledger.events_of(one.id)] for one in ledger.incidents()}
        assert found == {"data_quality": ["score_drift", "data_quality"], "loss_drift": ["loss_drift"]}


def test_what_was_only_noted_at_the_same_time_is_evidence_for_the_diagnosis(tmp_path: Path) -> None:
    """A break within the cool-down of another opens nothing; the drift that it made still has it beside it."""
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        triaging = Triaging(ledger, Places(MODEL, str(tmp_path), tmp_path, DAY), TriagingConfig(), LENGTHS)
        ledger.take_event(event(START, "data_quality", name="earlier"))
        triaging.triage("c", START)
        (earlier,) = ledger.incidents()
        ledger.move(
            ledger.move(earlier, Move(to="diagnosed", reason="", rule=""), START), Move(to="no_action", reason="", rule=""), START
        )
        later = START + DAY
        said = [event(later, "data_quality"), event(later, "data_quality", "suspected"), event(later, "score_drift")]
        for one in [*said, event(later - 1, "data_quality", name="before")]:
            ledger.take_event(one)
        triaging.triage("c", later)
        (drift,) = [one for one in ledger.incidents() if one.cause == "score_drift"]
        asked = triaging.question(drift, later).arguments["events"]
    assert [(one["kind"], one["transition"]) for one in asked] == [("score_drift", "confirmed"), ("data_quality", "confirmed")]


def opened_on(
    folder: Path,
    said: dict[int, tuple[str, str]],
    cause: str = "upstream_data_break",
    *,
    probability: float = 0.9,
    times: dict[int, float] | None = None,
    champions: dict[int, str] | None = None,
) -> list[int]:
    """Days on which an incident is opened: by day the kind of an event and what it watches; each is diagnosed at once.

    By day, `times` is how many times the usual effect an event has, and `champions` who serves other than `c`.
    """
    diagnosis = {"causes": [{"cause": cause, "probability": probability}]}
    opened = []
    folder.mkdir(exist_ok=True)
    with open_ledger(folder / "ledger.sqlite") as ledger:
        triaging = Triaging(ledger, Places(MODEL, str(folder), folder, DAY), TriagingConfig(), LENGTHS)
        for day, (kind, watched) in said.items():
            now_ms, champion = START + day * DAY, (champions or {}).get(day, "c")
            alarm = event(now_ms, kind, name=str(day), watched=watched, digest=champion)
            proof = msgspec.structs.replace(alarm.evidence[0], effect=alarm.evidence[0].effect * (times or {}).get(day, 1.0))
            ledger.take_event(msgspec.structs.replace(alarm, evidence=(proof,)))
            triaging.triage(champion, now_ms)
            for one in ledger.incidents(only_open=True):
                opened.append(day)
                diagnosed = ledger.move(one, Move(to="diagnosed", reason="", rule="", details={"diagnosis": diagnosis}), now_ms)
                ledger.move(diagnosed, Move(to="no_action", reason="", rule=""), now_ms)
    return opened


DATA = "data_quality"


def test_people_are_told_of_each_broken_column(tmp_path: Path) -> None:
    said = {0: (DATA, "amount"), 1: (DATA, "amount"), 2: (DATA, "shop"), 3: (DATA, "amount"), 4: (DATA, "shop")}
    assert opened_on(tmp_path, said) == [0, 2]


def test_what_stays_broken_is_said_once_and_again_after_a_month(tmp_path: Path) -> None:
    lasting = dict.fromkeys(range(0, 60, 7), (DATA, "amount"))
    assert opened_on(tmp_path, lasting) == [0, 28, 56]


def test_that_a_break_does_harm_is_said_once_while_it_lasts(tmp_path: Path) -> None:
    breaks, harm = (DATA, "amount"), ("loss_drift", "loss")
    lasting = {0: breaks, 6: harm, 7: breaks, 13: harm, 14: breaks, 20: harm, 21: ("performance", "auc")}
    assert opened_on(tmp_path / "lasting", lasting) == [0, 6, 21]
    assert opened_on(tmp_path / "over", {0: breaks, 6: harm, 14: harm}) == [0, 6, 14], "the data may be well again"
    assert opened_on(tmp_path / "long", {0: breaks, 6: harm, **dict.fromkeys(range(7, 35, 7), breaks), 34: harm}) == [
        0,
        6,
        28,
        34,
    ]
    assert opened_on(tmp_path / "sound", lasting, "harmful_shift") == [0, 6, 13, 20, 21], "nothing was found broken"


def test_what_was_quiet_for_the_cooldown_is_news(tmp_path: Path) -> None:
    assert opened_on(tmp_path, {0: (DATA, "amount"), 5: (DATA, "amount"), 13: (DATA, "amount")}) == [0, 13]


def test_what_moves_in_a_column_that_is_known_to_be_broken_is_no_news(tmp_path: Path) -> None:
    said = {0: (DATA, "amount"), 1: ("feature_drift", "amount"), 2: ("feature_drift", "shop"), 3: ("loss_drift", "amount")}
    assert opened_on(tmp_path / "broken", said) == [0, 2, 3]
    assert opened_on(tmp_path / "harmful", said, "harmful_shift") == [0, 1, 3], "nothing was found broken"


def test_what_moved_without_harm_is_said_once_and_again_after_a_month(tmp_path: Path) -> None:
    lasting = dict.fromkeys(range(0, 60, 8), ("feature_drift", "amount"))
    assert opened_on(tmp_path / "harmless", lasting, "harmless_shift") == [0, 32]
    assert opened_on(tmp_path / "chance", lasting, "false_alarm") == [0, 32]
    assert opened_on(tmp_path / "harmful", lasting, "harmful_shift") == [*lasting], "something may have become possible"
    unsure = opened_on(tmp_path / "unsure", lasting, "harmless_shift", probability=0.4)
    assert unsure == [*lasting], "it may well do harm"


def test_what_moved_without_harm_is_news_when_it_is_another_column_or_tells_of_harm(tmp_path: Path) -> None:
    said = {0: ("feature_drift", "amount"), 8: ("feature_drift", "shop"), 16: ("loss_drift", "amount"), 17: (DATA, "amount")}
    assert opened_on(tmp_path, said, "harmless_shift") == [*said]


def test_what_moved_without_harm_is_news_when_it_moves_half_as_far_again(tmp_path: Path) -> None:
    said = dict.fromkeys(range(0, 28, 9), ("feature_drift", "amount"))
    assert opened_on(tmp_path, said, "harmless_shift", times={9: 1.4, 18: 1.6, 27: 2.3}) == [0, 18]


def test_what_did_an_earlier_champion_no_harm_is_news_to_this_one(tmp_path: Path) -> None:
    said = dict.fromkeys(range(0, 28, 9), ("feature_drift", "amount"))
    assert opened_on(tmp_path, said, "harmless_shift", champions={18: "d", 27: "d"}) == [0, 18]


def test_a_kind_nobody_knows_is_only_noted() -> None:
    assert decide("apocalypse") == "ignore"


STORM = [event(START + number, kind, name=str(number)) for number, kind in enumerate(["performance", "loss_drift"] * 5)]


@given(st.permutations(STORM))
def test_a_storm_opens_one_incident_whatever_its_order(storm: list[DriftEvent]) -> None:
    opened: list[Incident] = []
    for one in storm:
        decision = triage(one, Standing("c", opened, ()), SILENCE)
        if decision.what == "open":
            opened.append(incident(one.kind))
    assert len(opened) == 1


def test_arrival_order_doesn_t_matter(tmp_path: Path) -> None:
    ids = []
    for order in (1, -1):
        folder = tmp_path / str(order)
        with open_ledger(folder / "ledger.sqlite") as ledger:
            for one in [event(START + 1), event(START + 2, "loss_drift"), event(START + 3, "data_quality")][::order]:
                ledger.take_event(one)
            Triaging(ledger, Places(MODEL, str(folder), folder, DAY), TriagingConfig(), LENGTHS).triage("c", START + 5)
            ids.append([(one.id, len(ledger.events_of(one.id))) for one in ledger.incidents()])
    assert ids[0] == ids[1]
    assert sorted(count for _, count in ids[0]) == [1, 2]


def deployed(*champions: str) -> list[dict[str, object]]:
    return [{"champion": champion, "effective_ms": START + place} for place, champion in enumerate(champions)]


def test_a_champion_serves_since_it_last_took_over_from_another() -> None:
    assert served_since(deployed("a", "a", "b", "b", "c"), "c") == START + 4
    assert served_since(deployed("a", "a", "b", "b"), "b") == START + 2, "what is deployed beside it changes nothing"
    assert served_since(deployed("a", "b", "a", "b"), "a") == START + 2, "it was rolled back to"
    assert served_since(deployed("a", "a"), "a") is None, "it was the first"
    assert served_since(deployed("a", "b"), "c") is None
    assert served_since([], "a") is None


def test_the_diagnosis_is_told_when_the_champion_took_over(tmp_path: Path) -> None:
    places = Places(MODEL, str(tmp_path), tmp_path, DAY)
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        for number, champion in enumerate(("old", "c")):
            step = ledger.lease(
                MODEL, f"i-{number}", "promote", kind="deploy", skill="deploy", owner="me", until_wall_ms=0, now_ms=START
            )
            payload = {"generation": number, "champion": champion, "effective_ms": START + number}
            ledger.finish(ledger.reserve(step, payload, START), {}, START)
        triaging = Triaging(ledger, places, TriagingConfig(), LENGTHS)
        ledger.take_event(event(START, "performance", digest="c"))
        triaging.triage("c", START + DAY)
        (opened,) = ledger.incidents(MODEL)
        question = triaging.question(opened, START + DAY)
    assert question.arguments["deployed_ms"] == START + 1
    assert question.arguments["recent_ms"] == TriagingConfig().recent.ms
    assert question.arguments["recent_rows"] == TriagingConfig().recent_rows
