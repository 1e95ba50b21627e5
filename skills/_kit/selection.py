"""Forward selection of windows: which of the survivors make the retrained model better on later rows, beyond luck.

Rows are cut into six folds in order of time. A model that judges fold k has only seen labels that were known before fold k
began; where only rows since a change are new to the model, these are cut, all before them are learnt from, and a model has seen
what came before fold k: labels may take longer than the change is old, and each of them is known by now. Folds 1 to 3 choose;
folds 4 and 5, which no choice has seen, confirm by a paired test over blocks of time. A round proposes the few candidates with
the largest gain over the current model's residuals, retrains with each, and tests the best; later tests in a round pay for the
earlier ones (Holm). When a round confirms nothing, the search ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from skills._kit.boosting import Fold, fit, predict
from skills._kit.design import Design
from skills._kit.errors import NoDataError
from skills._kit.frames import Booleans, Floats, Singles, row_blocks, time_blocks
from skills._kit.grammar import Candidate
from skills._kit.metrics import Gain, block_gain, losses
from skills._kit.screening import gains, moved, rank_correlation, residuals

FOLDS = 6
CHOOSING = (1, 2, 3)
CONFIRMING = (4, 5)
PARAMETERS = {"max_depth": 4, "eta": 0.2, "rounds": 45, "max_bin": 32, "min_child_weight": 10.0, "device": "cpu"}
MOST_ACCEPTED = 6
TRIED_A_ROUND = 5
TESTED_A_ROUND = 3
SIGNIFICANCE = 0.05
LEAST_GAIN = 0.001
REDUNDANT = 0.95
TEST_BLOCKS = 24
SCREENING_FOLDS = 8
LEAST_ROWS_TO_LEARN = 100
LEAST_OF_A_CLASS = 10


class Survivor(NamedTuple):
    """A candidate with its values on all rows of the design [rows], NaN where missing."""

    candidate: Candidate
    values: Singles


class _SureGain(NamedTuple):
    """A gain less its standard error, and the error."""

    sure: float
    error: float


class Accepted(NamedTuple):
    """A window that the search takes: the gain is in the loss per row on the confirming folds, the p-value corrected."""

    candidate: Candidate
    gain: Gain


class Rejected(NamedTuple):
    """A window that the search leaves, and why."""

    candidate: Candidate
    reason: str


class Judge:
    """Retrains the model with given windows and says each row's loss on folds that it didn't learn from.

    Args:
        design: all rows.
        seed: of the trainings.
        new: which of them are new to the model [rows]; where none or all are, all are alike.
    """

    def __init__(self, design: Design, seed: int, new: Booleans | None = None) -> None:
        self.design = design
        self._seed = seed
        if new is None or new.all() or not new.any():
            self.fold = row_blocks(len(design.labels), FOLDS)
            starts = [int(design.time_ms[self.fold == number].min()) for number in range(FOLDS)]
            self._learning = [design.known_ms < start for start in starts]
        else:
            self.fold = np.zeros(len(design.labels), np.int64)
            self.fold[new] = row_blocks(int(new.sum()), FOLDS)
            self._learning = [self.fold < number for number in range(FOLDS)]
        self._base: dict[int, tuple[Singles, Singles]] = {}
        usable = [number for number in range(1, FOLDS) if self._can_learn(number)]
        self.choosing = tuple(number for number in usable if number in CHOOSING)
        self.confirming = tuple(number for number in usable if number in CONFIRMING)
        if not self.choosing or not self.confirming:
            raise NoDataError("labels become known too late, or are too few, to try windows on later rows; use a longer range")

    def margins(self, extra: Sequence[Singles], folds: Sequence[int]) -> Floats:
        """Return out-of-fold margins [rows of `folds`], in order."""
        return np.concatenate([self._margins_of(extra, number) for number in folds])

    def losses(self, margins: Floats, folds: Sequence[int]) -> Floats:
        """Return the loss of each row of `folds`, given its margin; not weighted."""
        scores = 1 / (1 + np.exp(-margins)) if self.design.task == "binary" else margins
        return losses(self.design.task, self.design.labels[self.rows(folds)], scores)

    def rows(self, folds: Sequence[int]) -> Booleans:
        """Return which rows are in `folds` [rows]."""
        return np.isin(self.fold, folds)

    def weights(self, folds: Sequence[int]) -> Floats:
        """Return the weights of the rows in `folds`."""
        return self.design.weights[self.rows(folds)]

    def _can_learn(self, number: int) -> bool:
        labels = self.design.labels[self._learning[number]]
        classes = min((labels > 0.5).sum(), (labels <= 0.5).sum()) if self.design.task == "binary" else LEAST_OF_A_CLASS
        return len(labels) >= LEAST_ROWS_TO_LEARN and bool(classes >= LEAST_OF_A_CLASS)

    def _margins_of(self, extra: Sequence[Singles], number: int) -> Floats:
        learning, asked = self._learning[number], self.fold == number
        if number not in self._base:
            self._base[number] = (self.design.matrix(learning, learning), self.design.matrix(asked, learning))
        known, unknown = (
            np.hstack([base, *(values[rows][:, None] for values in extra)])
            for base, rows in zip(self._base[number], (learning, asked), strict=True)
        )
        train = Fold(known, self.design.labels[learning], self.design.weights[learning])
        return predict(fit(self.design.task, train, PARAMETERS, self._seed).booster, unknown, margin=True)


class Selection:
    """One run of the forward selection; `run` may be called once."""

    def __init__(self, judge: Judge, survivors: Sequence[Survivor], seed: int, out_of_time: Callable[[], bool]) -> None:
        self._judge = judge
        self._left = list(survivors)
        self._generator = np.random.default_rng(seed)
        self._out_of_time = out_of_time
        self._taken: list[Survivor] = []
        self._margins = {folds: judge.margins((), folds) for folds in (judge.choosing, judge.confirming)}
        self.accepted: list[Accepted] = []
        self.rejected: list[Rejected] = []

    def run(self) -> None:
        """Accept windows until a round confirms none, six are taken, or the time is up."""
        while self._left and len(self._taken) < MOST_ACCEPTED:
            if self._out_of_time():
                self._reject_all("the time for the search was up")
                return
            if not self._round():
                break
        self._reject_all("no gain over the model with the accepted windows")

    def _round(self) -> bool:
        sure = {index: self._sure_gain(self._left[index].values) for index in self._leaders()}
        tried = sorted(
            ((gain, index) for index, gain in sure.items() if gain.sure > 0), key=lambda pair: (-pair[0].sure, pair[1])
        )
        order = self._cheap_first(tried)[:TESTED_A_ROUND]
        for place, index in enumerate(order):
            reason = self._test(self._left[index], sure[index].sure, len(order) - place)
            if not reason:
                self._take(index)
                return True
            self.rejected.append(Rejected(self._left[index].candidate, reason))
        return False

    def _leaders(self) -> list[int]:
        """Return the candidates that gain most over the current residuals, at most two of one kind and key."""
        rows, design = self._judge.rows(self._judge.choosing), self._judge.design
        against = residuals(design.task, design.labels[rows], self._margins[self._judge.choosing], design.weights[rows])
        folds = row_blocks(int(rows.sum()), SCREENING_FOLDS)
        found = gains(np.stack([survivor.values[rows] for survivor in self._left], axis=1), against, folds)
        leaders: list[int] = []
        for index in sorted(range(len(found)), key=lambda i: (-found[i], i)):
            alike = [other for other in leaders if _kin(self._left[other]) == _kin(self._left[index])]
            if found[index] > 0 and len(alike) < 2 and len(leaders) < TRIED_A_ROUND:
                leaders.append(index)
        return leaders

    def _sure_gain(self, column: Singles) -> _SureGain:
        """Return what the model gains on the choosing folds when it is retrained with one more column."""
        after = self._judge.losses(self._judge.margins([*self._columns, column], self._judge.choosing), self._judge.choosing)
        before = self._judge.losses(self._margins[self._judge.choosing], self._judge.choosing)
        gain = block_gain(before - after, self._judge.weights(self._judge.choosing), row_blocks(len(before), TEST_BLOCKS))
        error = (gain.high - gain.value) / 2
        return _SureGain(gain.value - error, error)

    def _cheap_first(self, tried: list[tuple[_SureGain, int]]) -> list[int]:
        """Order by gain, but of windows within a standard error of the best the one with the least state goes first.

        Source of the rule: Breiman, L., Friedman, J., Olshen, R. and Stone, C. (1984), "Classification and Regression Trees",
        section 3.4.3.
        """
        if not tried:
            return []
        best = tried[0][0]
        near = [index for gain, index in tried if gain.sure >= best.sure - best.error]
        cheapest = min(near, key=lambda index: (self._left[index].candidate.state_bytes, index))
        return [cheapest, *(index for _, index in tried if index != cheapest)]

    def _test(self, survivor: Survivor, sure_gain: float, tests: int) -> str:
        """Confirm a window on the folds that no choice has seen; return the reason why not, or nothing."""
        for taken in self._taken:
            if rank_correlation(survivor.values, taken.values) > REDUNDANT:
                return f"says the same as {taken.candidate.window.text}"
        if sure_gain <= self._sure_gain(survivor.values[moved(len(survivor.values), self._generator)]).sure:
            return "no better than its control, the same values at other times"
        gain, in_folds, base = self._confirmed_gain(survivor)
        corrected = min(1.0, gain.p_value * tests)
        if corrected > SIGNIFICANCE or gain.low <= 0:
            return f"not significant on unseen rows: p = {corrected:.2g} after correction"
        if gain.value < LEAST_GAIN * base:
            return f"too small a gain: {gain.value / base:.2%} of the loss, at least {LEAST_GAIN:.1%} is asked"
        if sum(part > 0 for part in in_folds) * 2 <= len(in_folds):
            return "not stable: it gains in half of the folds or fewer"
        self.accepted.append(Accepted(survivor.candidate, gain._replace(p_value=corrected)))
        return ""

    def _confirmed_gain(self, survivor: Survivor) -> tuple[Gain, list[float], float]:
        judge, columns = self._judge, [*self._columns, survivor.values]
        parts = []
        for folds in (self._judge.choosing, self._judge.confirming):
            before = judge.losses(self._margins[folds], folds)
            parts.append((before, before - judge.losses(judge.margins(columns, folds), folds), judge.fold[judge.rows(folds)]))
        before, better, _ = parts[1]
        weights = judge.weights(self._judge.confirming)
        blocks = time_blocks(judge.design.time_ms[judge.rows(self._judge.confirming)], TEST_BLOCKS)
        in_folds = [float(gained[fold == number].mean()) for _, gained, fold in parts for number in np.unique(fold)]
        return block_gain(better, weights, blocks), in_folds, float(np.average(before, weights=weights))

    def _take(self, index: int) -> None:
        survivor = self._left[index]
        self._taken.append(survivor)
        tested = {rejected.candidate for rejected in self.rejected}
        self._left = [other for other in self._left if other is not survivor and other.candidate not in tested]
        for other in list(self._left):
            if rank_correlation(other.values, survivor.values) > REDUNDANT:
                self._left = [kept for kept in self._left if kept is not other]
                self.rejected.append(Rejected(other.candidate, f"says the same as {survivor.candidate.window.text}"))
        self._margins = {
            folds: self._judge.margins(self._columns, folds) for folds in (self._judge.choosing, self._judge.confirming)
        }

    @property
    def _columns(self) -> list[Singles]:
        return [survivor.values for survivor in self._taken]

    def _reject_all(self, reason: str) -> None:
        known = {rejected.candidate for rejected in self.rejected}
        self.rejected += [Rejected(left.candidate, reason) for left in self._left if left.candidate not in known]
        self._left = []


def _kin(survivor: Survivor) -> tuple[object, ...]:
    window = survivor.candidate.window
    return window.source, window.aggregate, window.column, window.by
