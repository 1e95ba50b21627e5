"""The scenario file: what happens on which data, what the right answer is, and which bars must be held.

The format is described for people in `scenarios/README.md`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from daemon.planners.base import Action
from skills._kit.causes import Cause
from streams.contracts.features import Aggregate, Source
from streams.runtime.config import Section, load
from streams.runtime.durations import Duration
from tests.bench.closed_loop.data.file import FileRoles
from tests.bench.closed_loop.faults.family import BUNDLES
from tests.bench.closed_loop.injections.base import Placed
from tests.bench.closed_loop.injections.family import Injection

SCENARIOS = Path(__file__).resolve().parent / "scenarios"

# Right answers that the product has no word for (yet): what it would have to say or do.
FURTHER_CAUSES: Final = ("bad_swap", "biased_labels", "cold_start", "missing_feature", "seasonal")
FURTHER_ACTIONS: Final = (
    "hold_out",  # rows of a broken stretch are kept out of windows, references and training
    "repair_histories",  # and what they left in the windows is taken away
    "replace_feature",  # a window of one's own instead of a dead upstream column
    "stop_retraining",  # one more retrain of the same kind is refused
    "refuse",  # a submitted or prepared challenger isn't promoted
)
CAUSES: Final = frozenset((*get_args(Cause), *FURTHER_CAUSES))
ACTIONS: Final = frozenset((*get_args(Action), *FURTHER_ACTIONS))

# Waiting for something: where it never came, there is no value, and a bar on it is missed.
WAITS: Final = frozenset(
    {
        "hours_to_recover",
        "labels_to_recover",
        "hours_to_detect",
        "hours_to_hold_out",
        "labels_to_restore",
        "labels_to_roll_back",
    }
)
# What a bar may limit, and its unit.
METRICS: Final = {
    "live_quality": "the data's measure, mean over its weeks or months, of every row by the version live at its event time",
    "brier": "Brier score (mean squared error of the probability), mean over the same months; for data judged by AUC",
    "kappa_temporal": "accuracy less that of repeating the label of the row before, as a share of what that leaves; mean over "
    "the same weeks; for autocorrelated labels",
    "below_weekly": "live quality of the policy `weekly` less this policy's",
    "share_of_oracle": "live quality divided by the policy `oracle`'s",
    "recovered_share": "(policy - never) / (oracle - never)",
    "hours_to_recover": "virtual hours from onset to the first of 3 windows in a row at 95 % of the oracle's level",
    "labels_to_recover": "labelled rows until then",
    "hours_to_detect": "virtual hours from an onset to the first incident in the first fifth of its segment, which ends with the "
    "next onset or the replay; mean over the onsets that were detected so",
    "incidents_missed": "share of the onsets without such an incident",
    "false_incidents": "incidents outside those fifths",
    "hours_between_false_incidents": "virtual hours outside those fifths, divided by the false incidents; left out without any",
    "hours_to_hold_out": "virtual hours from the first broken row to the first that is held out",
    "incidents": "incidents opened",
    "right_diagnosis": "1 when the likeliest cause of the first incident after onset that has one is accepted, else 0; where two "
    "things happen at once, 1 when one of each was the likeliest of an incident",
    "forbidden_actions": "forbidden actions that were taken",
    "retrains": "models trained",
    "promotions": "models that became champion",
    "needless_retrains": "promotions of models trained after onset, where none is right",
    "labels_to_restore": "labels that became known from onset until a bundle that had been replaced before it is champion again",
    "labels_to_roll_back": "answers of a forced bundle whose labels were known when the champion before it came back",
    "harmful_swaps": "promotions after which quality is worse by more than the 99.9 % interval",
    "gate_rightly_promoted": "of the promotions, the share whose challenger proved better than the champion on rows whose truth "
    "became known after the verdict; differences under 0.01 are left out",
    "gate_rightly_refused": "of the refusals of a challenger that had run as a shadow, the share that proved worse on such rows",
    "feature_found": "1 when a champion has the planted window, else 0",
    "missed_amount": "true amount of the frauds that aren't among the 100 highest scores of their day",
    "alerts": "incidents that reached people",
    "tokens": "tokens of language models that planned; the policy planner asks none",
    "rows_lost": "requests without an answer",
    "rows_doubled": "requests with two",
    "rows_misattributed": "answers that name another version than the one live",
    "p99_ratio": "99th percentile of the milliseconds from a request's append to its answer's, over the rows of one bucket from "
    "each change of a slot on, divided by that of all other rows; a replay writes a bucket's rows at once, so this is mostly the "
    "time a bucket takes, not the latency of a single request",
}

# What the bars over all scenarios together limit.
SUITE_METRICS: Final = {
    "retrains_of_daily": "models that driftwake trained, divided by those that the policy `daily` would have; where it wasn't "
    "played, the ends of days in the replay are counted, at which it trains by its rule",
    "right_diagnoses": "scenarios that were diagnosed rightly, each as the share of its seeds and variants, C11a and C11b",
}


class Days(Section):
    """Whole days, counted from the data set's day 0; both belong to it."""

    first_day: int = Field(ge=0)
    last_day: int = Field(ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last_day < self.first_day:
            raise ValueError(f"last_day {self.last_day} lies before first_day {self.first_day}; swap them")
        return self


class Fine(Days):
    """Days on which hours count."""

    bucket: Duration


class OwnFile(Section):
    """Data of one's own: any parquet file, and what its columns are."""

    file: Path
    """Relative to the scenario file."""

    roles: FileRoles


class Fault(Section):
    """What the runner does to the system itself at the start of a day."""

    kind: Literal["corrupt_onnx", "wrong_feature_order", "trained_on_future", "broker_restart", "training_killed"]
    day: int = Field(ge=0)
    forced: bool = False
    """A bad bundle is put past the checks, so that only what is measured afterwards can find it."""

    @model_validator(mode="after")
    def _forced_bundles(self) -> Self:
        if self.forced and self.kind not in BUNDLES:
            raise ValueError(f"{self.kind} can't be forced; {', '.join(BUNDLES)} can")
        return self


def _among(known: frozenset[str], word: str) -> AfterValidator:
    def checked(given: str) -> str:
        if given not in known:
            raise ValueError(f"{given!r} is no {word}; there are: {', '.join(sorted(known))}")
        return given

    return AfterValidator(checked)


KnownCause = Annotated[str, _among(CAUSES, "cause")]
KnownAction = Annotated[str, _among(ACTIONS, "action")]
KnownMetric = Annotated[str, _among(frozenset(METRICS), "metric")]


class Planted(Section):
    """The window that the data ask for."""

    by: tuple[str, ...]
    aggregate: Aggregate
    source: Source
    column: str | None = None
    at_most_range: Duration
    """A longer window doesn't show it any more."""


class Truth(Section):
    """What really happens, and what the right answer to it is."""

    onset_day: float | None = Field(ge=0)
    """The moment it begins, in days; null when nothing happens."""

    other_onsets: tuple[Annotated[float, Field(ge=0)], ...] = ()
    """Moments of the replay at which something else begins: incidents there are no false alarms."""

    diagnosis: tuple[KnownCause, ...] = ()
    """Causes that are right to name; none when no incident is right."""

    second_diagnosis: tuple[KnownCause, ...] = ()
    """Causes of a second thing that happens at once: one of these must be named as well."""

    actions: tuple[KnownAction, ...] = ()
    """Actions that are right to take."""

    forbidden: tuple[KnownAction, ...] = ()
    """Actions that make it worse."""

    feature: Planted | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        both = sorted(set(self.actions) & set(self.forbidden))
        if both:
            raise ValueError(f"{', '.join(both)} can't be both right and forbidden")
        if self.second_diagnosis and not self.diagnosis:
            raise ValueError("second_diagnosis needs a diagnosis beside it")
        if self.other_onsets and self.onset_day is None:
            raise ValueError("other_onsets need an onset_day beside them")
        return self


class Bar(Section):
    """A limit on one metric of one policy; without days it is about the whole score."""

    metric: KnownMetric
    policy: str = "driftwake"
    at_least: float | None = None
    at_most: float | None = None
    first_day: int | None = Field(default=None, ge=0)
    last_day: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"bar on {self.metric}: give exactly one of at_least and at_most")
        return self


class Scenario(Section):
    """One scenario."""

    id: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    title: str = Field(min_length=1)
    data: str | OwnFile
    """A data set's name, or a file of one's own."""

    champion: Days
    """Event times of the rows that the first champion is trained on, as far as their labels are known when the replay begins."""

    replay: Days
    """What is played."""

    bucket: Duration
    """Virtual time that is released at once."""

    fine: Fine | None = None
    """Days with a shorter bucket, which costs time: where a bar is set in hours."""

    seconds: float = Field(default=300.0, gt=0)
    """About how long it takes beside another: those that take longest begin first. It changes no result."""

    skew: Duration | None = None
    """How long before a row its facts must lie; null is the data set's own. Far below the bucket a replay is slow."""

    label_delay: Literal["own"] | Duration = "own"
    """How long after a row its label is known; `own` is the data's."""

    settings: dict[str, Any] = Field(default_factory=dict)
    """Of the model, where defaults don't suit the data's pace; the same for every policy, checked by the product."""

    injections: tuple[Injection, ...] = ()
    """Applied in this order, each on what the one before has made."""

    faults: tuple[Fault, ...] = ()
    truth: Truth
    score: Days
    """What live quality is about."""

    seed: int = Field(default=0, ge=0)
    bars: tuple[Bar, ...] = ()

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        findings = []
        if self.replay.first_day <= self.champion.last_day:
            findings.append(f"replay begins on day {self.replay.first_day}, within the champion's days; begin later")
        if self.fine is not None and not self._replays(self.fine.first_day, self.fine.last_day):
            findings.append(f"fine {self.fine.first_day} to {self.fine.last_day} isn't within the replay")
        if not self._replays(self.score.first_day, self.score.last_day):
            findings.append(f"score {self.score.first_day} to {self.score.last_day} isn't within the replay")
        for bar in self.bars:
            first = self.score.first_day if bar.first_day is None else bar.first_day
            last = self.score.last_day if bar.last_day is None else bar.last_day
            if not (self.score.first_day <= first <= last <= self.score.last_day):
                findings.append(f"bar on {bar.metric}: days {first} to {last} aren't within the score")
        moments = [] if self.truth.onset_day is None else [self.truth.onset_day, *self.truth.other_onsets]
        findings += [f"onset on day {one:g} isn't within the replay" for one in moments if not self._holds(one)]
        if len(set(moments)) < len(moments):
            findings.append("two onsets are the same moment")
        findings += [f"{one.kind}: the last moment lies before the first" for one in self.injections if _is_backwards(one)]
        if findings:
            raise ValueError("; ".join(findings))
        return self

    def _holds(self, day: float) -> bool:
        return self.replay.first_day <= day < self.replay.last_day + 1

    def _replays(self, first: int, last: int) -> bool:
        return self.replay.first_day <= first <= last <= self.replay.last_day


def _is_backwards(placed: Placed) -> bool:
    span = placed.span(0)
    return span.until_ms <= span.since_ms


def load_scenario(file: Path) -> Scenario:
    """Read and check a scenario file; the environment changes nothing.

    Raises:
        ConfigError: with every finding, each with its place.
    """
    return load(Scenario, file, variables={}).settings


def scenario_files() -> dict[str, Path]:
    """Return the files of all scenarios by id, C2 before C11a."""
    return {file.stem: file for file in sorted(SCENARIOS.glob("*.yaml"), key=_order)}


def _order(file: Path) -> tuple[int, str]:
    number = "".join(filter(str.isdigit, file.stem.split("_")[0]))
    return int(number or 0), file.stem
