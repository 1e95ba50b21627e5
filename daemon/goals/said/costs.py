"""How people say what reaching a goal may cost: what is spent, what caps it, and for how long that is."""

from __future__ import annotations

from typing import Final, Literal

from daemon.goals.objective import Currency, Every
from daemon.goals.patterns import forms
from daemon.goals.reading import Lexicon, listed, meaning
from daemon.goals.words import CURRENCIES

Kind = Literal["training", "gpu", "any"]

SPENDS: Final = Lexicon[Kind]({
    **meaning(
        "any",
        *forms("spend", "pay", "use", "cost", "invest", "consume", "burn"), "(spent|paid|used|invested)", "for",
        "[on|within|inside|using|have] [a|the|our|my] [total|overall|maximum|max]"
        " (budget|cost cap|cost limit|spending limit|spending cap|spend limit|budget cap|budget limit) [of|is|:|at]",
        "[the|our|its|total|overall|all|a|max|maximum|a max|a maximum|the maximum]"
        " (cost|costs|price|spend|spending|expenses|expense|bill|expenditure|outlay|compute budget|compute cost|budget)",
        "[can|could] afford", "have",
        "(cost|costs|price) of (it|this|that|retraining|training)",
        "(spending|spend) (on|for) (retraining|training|it|this|that)",
        "(it|this|that|retraining) (may|can|should|must|shall) cost", "at a [total|maximum|max] (cost|price) [of]",
        "[the|a|total] (training|retraining) (cost|costs|bill|expenses|spend|spending|budget)",
    ),
    **meaning(
        "training",
        "[the|its|each|every|max|maximum|a max|a maximum] (training|retraining) [time|run|runs|duration]",
        "(train|retrain) [it|the model]", "(train|training|retrain|retraining) [it|the model] for",
        "[the|a] training time budget [of|is|:]",
    ),
    **meaning("gpu", "[the] gpu (time|usage|use|consumption|hours|minutes)",
    "[on|within] [a|the] gpu (budget|cap|limit) [of|is|:]"),
})  # fmt: skip
CAPPING: Final = frozenset({"budget", "cap", "limit", "max", "maximum"})

_DENIED: Final = (
    "[but] (without|don't|do not|never|not)", "(must|should|may|shall) (not|never)", "(mustn't|shouldn't|can't|cannot|can not)",
)  # fmt: skip
_CAP: Final = "(cap|capping|limit|limiting|restrict|restricting)"
NOT_MORE: Final = Lexicon[Kind]({
    **meaning("any",
    f"{_CAP} [the|our] [total] (spending|spend|cost|costs|budget|training cost|training costs|expenses) (at|to)"),
    **meaning("training", f"{_CAP} [the|our|its] (training|training time|retraining) (at|to)"),
    **meaning("gpu", f"{_CAP} [the|our|its] gpu (time|usage|use) (at|to)"),
    **meaning("any", *(
        f"{denied} (spend|spending|use|using|pay|paying|cost|costing|invest|investing) (more than|over|beyond|above)"
        for denied in _DENIED
    )),
    **meaning(
        "any",
        "[but] (without|not) (exceeding|going over|going above) [a|the|our] [total|overall] (budget|cost cap|cost limit|cost)"
        " [of]",
        "[but] (stay|staying|keep|keeping) (within|under|below) [a|the|our] [total|overall] (budget|cost cap|cost limit|cost)"
        " [of]",
        "[but] (don't|do not|never) exceed [a|the|our] [total|overall] (budget|cost cap|cost limit|cost) [of]",
    ),
    **meaning(
        "training",
        "[but] (without|don't|do not|never|not) (train|training|retrain|retraining) [it|the model] [for] (longer|more) than",
        "[but] (train|training|retrain|retraining) [it|the model] [for] no (longer|more) than",
    ),
})  # fmt: skip
"""What caps an amount, and says that it is spent."""

_EXCEEDS: Final = (
    "(exceed|surpass|take more than|take longer than|last longer than|run longer than|cost more than|go over|go above|go beyond)",
    "be (more|higher|greater|longer) than", "be (above|over)",
)  # fmt: skip
MUST_NOT: Final = listed(
    *(f"(must|may|should|shall|can|is|are|do|does) (not|never) [to] {exceed}" for exceed in _EXCEEDS),
    *(f"(mustn't|shouldn't|can't|cannot|can not|doesn't|don't) {exceed}" for exceed in _EXCEEDS),
    "not exceeding", "not to exceed",
)  # fmt: skip

LINKS: Final = frozenset({
    "must", "should", "shall", "may", "can", "has", "have", "needs", "is", "are", "to", "be", "stay", "stays", "staying",
    "remain",
    "remains", "kept", "take", "takes", "taking", "cost", "costs", "run", "runs", "finish", "finishes", "complete",
    "completes", "done", "held", "only", "of", ":", "=",
})  # fmt: skip

AT_MOST: Final = listed(
    "at [the|the very] most", "(no|not) (more|longer|higher|greater) than", "(less|shorter|fewer|lower) than",
    "(under|below|within)",
    "up to", "(max|maximum) [of]", "a maximum of", "in (under|less than|at most|no more than)", "<", "<=", "≤", "=<",
    "(capped|limited|restricted) (at|to)", "not (over|above)", "within at most", "[a] (cap|limit|ceiling|upper limit|budget) of",
)  # fmt: skip
BEHIND: Final = listed("or (less|fewer|below|under)", "at [the|the very] most", "[as a] (max|maximum)", "tops")
BUDGETS: Final = listed(
    "(budget|cap|limit|cost cap|spending limit|cost limit|spending cap|ceiling) [on it|for it|for this|for that|on costs]"
)
PROVIDED: Final = listed(
    "(as|so) long as", "provided [that]", "(while|whilst)", "subject to", "but", "under the (constraint|condition) [of|that]"
)
SPENT: Final = listed(
    "(may|can|should|must|will|is to|are to) be (spent|used|invested|paid) [on it|on this|on that|for it|for this|for that|on]",
    "[to be] spent [on it|on this|on that|for it]",
)  # fmt: skip
"""Behind an amount that it caps."""

TAILS: Final = listed(
    "(on|for) (it|this|that|training|retraining|this goal)", "in (total|all)", "altogether", "overall", "all in"
)

CURRENCY: Final = Lexicon[Currency]({
    **CURRENCIES, **meaning("USD", "(us|american) (dollar|dollars|$)", "us$"), **meaning("CHF", "swiss (franc|francs)"),
    **meaning("GBP", "(british|sterling) (pound|pounds)", "pounds sterling"),
})  # fmt: skip

KINDS: Final = Lexicon[Kind]({
    **meaning("training", "[of|for] (training|retraining) [time]", "(of|for) the training"),
    **meaning("gpu", "[of] (gpu|gpus) [time|usage]", "on (a|the|our|one) gpu", "on [our] (gpu|gpus)", "gpu training [time]"),
})  # fmt: skip

_EACH: Final[tuple[Every, ...]] = ("day", "week", "month", "quarter", "year")
PER: Final = Lexicon[Every]({
    **{phrase: each for each in _EACH for word in ("per", "a", "each", "every", "/", "in any", "in each", "for each",
    "for every", "in every")
       for phrase in (f"{word} {each}", f"{word} calendar {each}")},
    **meaning("day", "daily"), **meaning("week", "weekly"), **meaning("month", "monthly"), **meaning("quarter", "quarterly"),
    **meaning("year", "yearly", "annually", "per annum", "p . a .", "p . a"),
    **meaning(
        "retraining",
        "(per|each|every|for each|for every|in each|a) (retraining|retrain|training|training run|retraining run|run)",
        "(each|every) time (it|the model) (is retrained|retrains|is trained|is refitted)",
    ),
})  # fmt: skip
