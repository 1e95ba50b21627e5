"""The planners' incidents: files are right, grades and bars say what they should, and no planner can look the answers up."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import yaml

from daemon.ledger.records import Reason
from daemon.planners.base import NoProposalError, Proposal, Situation
from daemon.planners.policy import build
from streams.contracts.errors import ConfigError
from tests.bench.planner import __main__ as command
from tests.bench.planner.__main__ import main, play
from tests.bench.planner.asking import Answered, ask, situation_of
from tests.bench.planner.incident import ACTIONS, INCIDENTS, Incident, incident_files, load_incident
from tests.bench.planner.scoring import Cost, Score, missed_bars, names_causes, score
from tests.kit.sources import imports, is_in, name_of, product, strings_of

FILES = incident_files()
ALL = {name: load_incident(file) for name, file in FILES.items()}


class Scripted:
    """Gives every situation the same answer, and counts what that costs."""

    def __init__(self, action: str, tokens: int = 0, **changes: Any) -> None:
        self._proposal = Proposal(action=action, reasons=(Reason(text="r"),), utilities={}, **changes)  # type: ignore[arg-type]
        self._tokens = tokens
        self.spent = Cost()

    async def propose(self, situation: Situation) -> Proposal:
        self.spent = Cost(self.spent.tokens + self._tokens, self.spent.usd + self._tokens / 1e6)
        return self._proposal


def answer(action: str, *causes: str, device: str | None = None, **changes: Any) -> Answered:
    proposal = Proposal(action=action, reasons=(Reason(text="r"),), utilities={}, **changes)  # type: ignore[arg-type]
    return Answered(proposal, causes, (), device, 0.0)


def graded(name: str, action: str, **changes: Any) -> Score:
    return score(ALL[name], answer(action, **changes))


def test_there_are_enough_and_each_is_called_as_its_file():
    assert len(FILES) >= 24
    assert [incident.id for incident in ALL.values()] == list(FILES)
    assert sum(incident.evidence is not None for incident in ALL.values()) >= 24, "most must be diagnosed from evidence"


def test_every_action_is_the_best_of_some_incident_and_forbidden_in_another():
    best = {action for incident in ALL.values() for action in incident.truth.best}
    assert ACTIONS - best == set()
    forbidden = {action for incident in ALL.values() for action in incident.truth.forbidden}
    assert forbidden >= {"retrain", "search_features_and_retrain", "restore_archived", "rollback", "alert_upstream"}


async def test_the_policy_planner_holds_the_bars():
    run = await play("policy", build(), list(ALL.values()))
    assert run.missed == [], [one for one in run.scores if one.grade not in {"best", "acceptable"} or one.cause is False]
    assert not [one for one in run.scores if one.refused], "the guardrails should not be needed"


@pytest.mark.parametrize("action", ["no_action", "retrain", "alert_upstream", "ask_person"])
async def test_a_planner_that_always_says_the_same_misses_the_bars(action: str):
    run = await play("same", Scripted(action), list(ALL.values()))
    assert any("actions are wrong" in one.bar for one in run.missed)


async def test_the_answer_is_the_one_without_the_hostile_texts():
    poisoned = [incident for incident in ALL.values() if incident.hostile]
    assert poisoned
    for incident in poisoned:
        clean = incident.model_copy(update={"hostile": ()})
        assert (await ask(incident, build())).proposal == (await ask(clean, build())).proposal
        assert any(incident.hostile[0] in str(part) for part in situation_of(incident).diagnosis.moved)


async def test_what_it_costs_is_counted_for_each_incident():
    run = await play("dear", Scripted("no_action", tokens=700), list(ALL.values())[:3])
    assert [one.cost.tokens for one in run.scores] == [700] * 3
    assert run.scores[2].cost.usd == pytest.approx(0.0007)
    assert any("at least 24" in one.bar for one in run.missed), "three incidents prove nothing"


def test_a_grade_is_by_action_rows_and_device():
    assert graded("p04_concept_sudden", "retrain", train_since_ms=1).grade == "best"
    assert graded("p04_concept_sudden", "retrain").grade == "neither", "rows before the change teach the opposite"
    assert graded("p02_harmful_shift", "retrain", train_since_ms=1).grade == "neither"
    assert graded("p22_gpu_too_small", "retrain", device="cpu").grade == "best"
    assert graded("p22_gpu_too_small", "retrain", device="cuda").grade == "neither"
    assert graded("p10_unit_change", "ask_person").grade == "acceptable"
    assert graded("p10_unit_change", "retrain").grade == "forbidden"
    assert graded("p01_harmless_shift", "wait_for_labels").grade == "neither"


def test_a_true_cause_that_is_missed_scores_nothing():
    two = ALL["p28_break_during_attack"].truth
    assert names_causes(two, ["upstream_data_break", "new_segment"])
    assert not names_causes(two, ["upstream_data_break", "concept_change"])
    assert not names_causes(two, ["new_segment", "upstream_data_break"])
    assert not names_causes(two, [])


def test_repeats_are_counted_where_nothing_is_different():
    assert graded("p23_diverged_before", "retrain").repeats
    assert not graded("p23_diverged_before", "retrain", train_since_ms=1).repeats
    assert not graded("p23_diverged_before", "search_features_and_retrain").repeats


def test_each_bar_is_missed_by_its_own_fault():
    one = score(ALL["p01_harmless_shift"], answer("no_action", "harmless_shift"))
    assert (one.grade, one.cause, one.repeats) == ("best", True, False)
    good = [one] * 24
    assert missed_bars(good) == []
    assert missed_bars([one._replace(cause=None) for one in good]) == []
    for changes, many, said in (
        ({"cause": False}, 4, None),
        ({"cause": False}, 5, "causes are wrong"),
        ({"grade": "neither"}, 1, None),
        ({"grade": "neither"}, 2, "actions are wrong"),
        ({"grade": "forbidden"}, 1, "forbidden"),
        ({"repeats": True}, 1, "proposed again"),
    ):
        bars = [one.bar for one in missed_bars([one._replace(**changes) for one in good[:many]] + good[many:])]
        assert (bars == []) if said is None else (len(bars) == 1 and said in bars[0])


def test_the_command_ends_with_its_verdict(tmp_path: Path):
    assert main(["--planner", "policy", "--json", str(tmp_path / "scores.json")]) == 0
    (run,) = msgspec.json.decode((tmp_path / "scores.json").read_bytes())
    assert run["planner"] == "policy"
    assert len(run["scores"]) == len(ALL)
    assert run["missed"] == []


def test_a_planner_that_has_nothing_to_propose_ends_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    class Silent:
        async def propose(self, situation: Situation) -> Proposal:
            raise NoProposalError("no_key")

    monkeypatch.setattr(command, "load_kind", lambda family, kind: SimpleNamespace(build=Silent))
    with pytest.raises(SystemExit) as ended:
        main(["--planner", "silent"])
    assert ended.value.code == 2
    assert "silent has nothing to propose: no_key" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"colour": "red"}, "there is no such setting"),
        ({"evidence": {"sccale": 2.0}}, "the diagnosis has no sccale"),
        ({"evidence": {"psi": "much"}}, "evidence"),
        ({"evidence": {"told": {"rain": 1.0}}}, "kinds that no event has: rain"),
        ({"causes": {"concept_change": 0.5}}, "either evidence or causes"),
        ({"truth": {"best": ["fly"]}}, "'fly' is no action"),
        ({"truth": {"diagnosis": ["bad_luck"], "best": ["retrain"]}}, "'bad_luck' is no cause"),
        ({"truth": {"diagnosis": ["false_alarm"], "best": ["retrain"], "forbidden": ["retrain"]}}, "named twice"),
        ({"truth": {"best": ["no_action"]}}, "belong together"),
        ({"truth": {"diagnosis": ["false_alarm"], "best": ["retrain"], "device": "cpu"}}, "needs a machine"),
        ({"truth": {"diagnosis": ["false_alarm"], "best": ["retrain"], "training_range": "all"}}, "needs a change"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(tmp_path: Path, changes: dict[str, object], said: str):
    content = yaml.safe_load(FILES["p01_harmless_shift"].read_text()) | changes
    file = tmp_path / "x.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError) as raised:
        load_incident(file)
    assert said in str(raised.value)


def test_nothing_in_the_product_knows_of_the_incidents():
    files = product()
    assert len(files) > 100
    for file in files:
        assert not [module for module in imports(file) if is_in(module, "tests")], name_of(file)
        assert not [text for text in strings_of(file) if "bench/planner" in text or text in FILES], name_of(file)


def test_planners_open_no_file_and_answer_alike_whatever_the_truth_says():
    """The answers are asked for again with other truths, while every opening of a file is an error."""
    planner = build()
    situations = {name: situation_of(incident) for name, incident in ALL.items()}
    before = {name: planner.decide(situation) for name, situation in situations.items()}
    watched: list[str] = []
    is_on = True

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if is_on and event == "open":
            watched.append(str(arguments[0]))

    sys.addaudithook(hook)
    try:
        after = {name: build().decide(situation_of(_lied_about(incident))) for name, incident in ALL.items()}
        opened = list(watched)
        (INCIDENTS / "p01_harmless_shift.yaml").read_text()
    finally:
        is_on = False
    assert after == before
    assert opened == []
    assert len(watched) == 1, "the hook sees what is opened"


def _lied_about(incident: Incident) -> Incident:
    lie = incident.truth.model_copy(update={"best": ("rollback",), "acceptable": (), "forbidden": ("no_action",)})
    return incident.model_copy(update={"truth": lie})
