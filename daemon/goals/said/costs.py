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
        *forms("authorise", "authorize", "allocate", "earmark", "spend", "pay", "use", "cost", "invest", "consume",
        "burn"), "(spent|paid|used|invested)", "for",
        "[on|within|inside|using|have] [a|the|our|my] [total|overall|maximum|max]"
        " (budget|cost cap|cost limit|spending limit|spending cap|spend limit|budget cap|budget limit) [of|is|:|at]",
        "[the|our|its|total|overall|all|a|max|maximum|a max|a maximum|the maximum]"
        " (cost|costs|price|spend|spending|expenses|expense|bill|expenditure|outlay|compute budget|compute cost|budget)",
        "[can|could] afford", "have", "(fund|pay for|finance) (it|this|that|the work) (with|by)",
        "(expenditure|spending|expenses|outlay)",
        "(expenditure|spending|expenses|outlay) (for|on) (it|this|that|this purpose)",
        "[the] (cost|costs|price) (of|for) (it|this|that|retraining|training|each retraining|every retraining|each training"
        "|each run)",
        "(spending|spend) (on|for) (retraining|training|it|this|that)",
        "(it|this|that|retraining|everything|all of it|the whole thing) (may|can|should|must|shall) cost",
        "at a [total|maximum|max] (cost|price) [of]",
        "[the|a|total] (training|retraining) (cost|costs|bill|expenses|spend|spending|budget)",
    ),
    **meaning(
        "training", "[the|its|max|maximum|a max|a maximum] (training|retraining) [time|run|runs|duration]",
        "(train|retrain) [it|the model]", "(train|training|retrain|retraining) [it|the model] for",
        "[the|a] training time budget [of|is|:]",
    ),
    **meaning("gpu", "[the] (gpu|gpus)", "[the] gpu (time|usage|use|consumption|hours|minutes)",
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
    **meaning("any", "(we|you|it|this|they|i) (may|can|could|are allowed to|is allowed to) (cost|spend|use|invest|pay)"),
    **meaning("any", "(we|you) [only] (have|got) [a budget of|only]", "there (is|are) [only] [a budget of]"),
    **meaning("training",
    "[but] no (training run|retraining run|run|retraining|training) (may|should|must|can|shall) (take|last|run|need)"
    " (longer|more) than"),
    **meaning("any", "[but] no (training run|retraining run|run|retraining|training) (may|should|must|can|shall) cost more than"),
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
        " [of]", "[but] (don't|do not|never) exceed [a|the|our] [total|overall] (budget|cost cap|cost limit|cost) [of]",
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
    "not exceeding", "not to exceed", "(not|never) exceed",
)  # fmt: skip

LINKS: Final = frozenset({
    "must", "should", "shall", "may", "can", "has", "have", "needs", "is", "are", "to", "be", "stay", "stays", "staying",
    "remain", "remains", "kept", "take", "takes", "taking", "cost", "costs", "run", "runs", "finish", "finishes", "complete",
    "completes", "done", "held", "only", "of", ":", "=",
})  # fmt: skip

AT_MOST: Final = listed(
    "at [the|the very] most", "(no|not) (more|longer|higher|greater) than", "(less|shorter|fewer|lower) than",
    "(under|below|within)", "up to", "(max|maximum) [of]", "[at] a maximum of", "in (under|less than|at most|no more than)", "<",
    "<=", "≤", "=<", "(capped|limited|restricted) (at|to)", "not (over|above)", "within at most",
    "[a] (cap|limit|ceiling|upper limit|budget) of",
)  # fmt: skip
BEHIND: Final = listed("or (less|fewer|below|under)", "at [the|the very] most", "[as a] (max|maximum)", "tops")
BUDGETS: Final = listed(
    "(budget|cap|limit|cost cap|spending limit|cost limit|spending cap|ceiling) [on it|for it|for this|for that|on costs]"
)
PROVIDED: Final = listed(
    "if (it|this|that) can be (done|had|reached|achieved)", "if (it|this|that) (costs|takes|stays)", "(as|so) long as",
    "provided [that]", "(while|whilst)", "subject to", "but",
    "(under|on) [the] (constraint|condition) [of|that]", "with the (proviso|constraint|condition) that",
)  # fmt: skip
"""What joins a cost to the goal that it limits."""

OVERS: Final = listed(
    "[but] (don't|do not|never|without|not) (go|going) (over|above|beyond)",
    "[but] (don't|do not|never|without|not) (exceed|exceeding)",
    "[but] (don't|do not|never|without|not) (overshoot|overshooting|surpass|surpassing)",
)  # fmt: skip
"""What caps an amount of whatever stands behind it."""

SPENT: Final = listed(
    "(may|can|should|must|will|is to|are to) be (spent|used|invested|paid) [on it|on this|on that|for it|for this|for that|on]",
    "[to be] spent [on it|on this|on that|for it]",
)  # fmt: skip
"""Behind an amount that it caps."""

Tail = Literal["", "in all"]
TAILS: Final = Lexicon[Tail]({
    **meaning("", "to spend [on it|on this|on that]", "(on|for) (it|this|that|training|retraining|this goal)",
    "(in|while|when|by) doing (so|it|that|this)",
              "doing (so|it|that|this)"),
    **meaning("in all", "in (total|all)", "altogether", "overall", "all in", "all told", "[,] [and] nothing (on top|more)",
        "[,] [and] not a (cent|penny|euro|dollar|pound|franc|bit) more"),
})  # fmt: skip
"""Behind an amount; `in all` where it is all that may be spent."""

CURRENCY: Final = Lexicon[Currency]({
    **CURRENCIES, **meaning("USD", "(us|american) (dollar|dollars|$)", "us$"), **meaning("CHF", "swiss (franc|francs)"),
    **meaning("GBP", "(british|sterling) (pound|pounds)", "pounds sterling"),
})  # fmt: skip

KINDS: Final = Lexicon[Kind]({
    **meaning("training", "[of|for] (training|retraining) [time]", "(of|for) the training"),
    **meaning("gpu", "[of] (gpu|gpus) [time|usage]", "on (a|the|our|one) gpu", "on [our] (gpu|gpus)", "gpu training [time]"),
})  # fmt: skip

_EACH: Final[tuple[Every, ...]] = ("day", "week", "month", "quarter", "year")
BEFORE: Final = Lexicon[Every]({
    **{f"{word} {each}": each for each in _EACH for word in ("per", "each", "every", "in any", "in each", "in every",
    "for each")},
    **meaning("day", "daily"), **meaning("week", "weekly"), **meaning("month", "monthly"), **meaning("quarter", "quarterly"),
    **meaning("year", "yearly", "annual", "annually"),
    **meaning("retraining", "(each|every|per|for each|a) (retraining|training|training run|retraining run)"),
})  # fmt: skip
"""How often, before what may be spent: `each retraining may cost`."""

EACH_TIME: Final = Lexicon[Every](meaning("retraining", "(each|every) time"))
"""Behind minutes of training."""

RUNS: Final = listed(
    "(a|any|each|every|one|per|a single|no) (training run|retraining run|run|retraining|training|retrain|refit)"
    " (may|must|should|shall|can|cannot|can't|mustn't|shouldn't|takes|costs|is|has|needs|to|never)",
)  # fmt: skip
"""What is spent on one retraining: `a training run may cost`."""

RATES: Final = frozenset({"each", "every", "any", "per", "run", "runs", "trainings", "retrainings"})
"""Words that a cost isn't said with where it is one in all."""

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
