"""What people want done with a metric, and how they say that it moves."""

from __future__ import annotations

from typing import Final

from daemon.goals.parts import Verb, Way
from daemon.goals.patterns import done, forms
from daemon.goals.reading import Lexicon, listed, meaning

_POSSIBLE: Final = "(possible|it goes|we can|you can|we can get it|you can get it|we can make it|you can make it)"

WANTED: Final = Lexicon[Verb]({
    **meaning(
        "hold",
        *done(
            "maintain", "sustain", "preserve", "retain", "secure", "safeguard", "assure", "ensure", "guarantee", "enforce",
            "defend", "uphold", "stay", "remain", "deliver", "offer", "yield", "provide", "satisfy", "pin", "lock in",
            "stabilise", "stabilize", "anchor", "peg", "lock", "fix", "equal", "amount to", "match",
        ),
        *forms("meet", "keep", "hold", "stick to", "continue to have", "tolerate", "accept", "live with", "put up with"),
        "(can|could) (tolerate|accept|live with|put up with)", "(kept|held|upheld|met)", "(make|making|made) (sure|certain)",
        "(see|seeing|seen) to it", "(hold|holding) the line",
    ),
    **meaning(
        "improve",
        *done(
            "improve", "optimise", "optimize", "optimise for", "optimize for", "enhance", "better", "upgrade", "strengthen",
            "tune for", "improve on", "work on", "sharpen", "speed up", "accelerate",
        ),
        *forms("do better (on|in|at)", "get better (on|in|at)", "make progress on"),
        "(better|best possible|the best|the best possible|find the best|find the best possible|improvement of|improvements in"
        "|improvement in|improvements of)",
        "(tune|train|retrain|optimise|optimize) [the model|our model|it] for [better|best|a better|more|higher]",
        "(retrain|train) to improve",
    ),
    **meaning(
        "up",
        *done(
            "raise", "increase", "boost", "lift", "maximise", "maximize", "step up", "ramp up", "bump up", "crank up", "pull up",
            "move up", "elevate", "uplift",
        ),
        *forms("push up", "drive up", "bring up", "grow"), "(pushed|driven|brought) up",
        "(higher|highest possible|the highest|the highest possible)", f"as (high|large|big) as {_POSSIBLE}",
    ),
    **meaning(
        "down",
        *done(
            "reduce", "lower", "decrease", "minimise", "minimize", "trim", "slash", "lessen", "diminish", "curb", "squash",
            "knock down", "turn down", "pull down", "move down",
        ),
        "(pushed|driven|brought|cut|taken) down",
        *forms("cut", "cut down", "cut down on", "shrink", "push down", "drive down", "bring down", "get down", "take down"),
        "(lowest possible|the lowest|the lowest possible|smallest possible|fewest possible)",
        f"as (low|small|few|little) as {_POSSIBLE}",
    ),
    **meaning(
        "reach",
        *done(
            "reach", "achieve", "attain", "target", "aim for", "aim at", "strive for", "push for", "obtain", "score",
            "accomplish",
        ),
        *forms("get", "bring", "push", "take", "drive", "hit", "go for", "get to", "come to", "arrive at", "shoot for",
        "get back to"),
        "(work towards|restore)", "(brought|driven|pushed|taken|gotten|got)",
    ),
})  # fmt: skip

MORE: Final = Lexicon[Way]({
    **meaning("up", "(more|higher|greater|larger)"),
    **meaning("down", "(less|lower|fewer|smaller|shorter|faster|quicker)"),
    **meaning("better", "better"),
    **meaning("worse", "worse"),
})  # fmt: skip
"""What is compared with the champion's: `3 points more recall`, `10 % lower RMSE`."""

_ANY: Final[frozenset[str]] = frozenset({"down", "up"})
MOVES: Final = Lexicon[frozenset[str]]({
    **meaning(
        frozenset({"down"}),
        *forms(
            "fall", "drop", "dip", "slip", "sink", "decline", "decrease", "slide", "tumble", "plunge", "crash", "dive", "sag",
            "go down", "come down", "drift down", "get down", "slip down", "move down", "shrink", "fall back", "drop back",
            "slip back", "fall down", "drop down", "slump", "plummet", "collapse", "recede", "fall off", "drop off", "descend",
            "deteriorate", "degrade", "regress", "weaken", "erode", "decay", "subside",
        ),
    ),
    **meaning(
        frozenset({"up"}),
        *forms(
            "rise", "climb", "grow", "increase", "creep", "jump", "spike", "soar", "surge", "go up", "creep up", "come up",
            "shoot up", "edge up", "inch up", "move up", "climb up", "jump up", "get up", "rise up", "climb back", "go back up",
            "come back up", "creep back", "mount", "escalate", "balloon", "swell", "skyrocket", "leap", "move upwards",
            "go upwards",
        ),
    ),
    **meaning(
        _ANY,
        *forms("go", "get", "come", "move", "sit", "stand", "land", "run", "end up", "come out", "come in", "turn out", "wander",
               "drift", "get back", "go back", "come back", "hover", "float", "rest", "settle", "clock in", "measure", "read",
               "find itself", "be (allowed|permitted)",
               "stray", "be found", "see itself"),
        "be", "being", "lie", "lies", "(become|becomes|becoming)", "lying",
    ),
})  # fmt: skip
"""Movements, and what they can go: `be` and `go` say it by `below` or `above`."""

WENT: Final = Lexicon[frozenset[str]]({
    **meaning(frozenset({"down"}), "(fell|dropped|dipped|slipped|sank|declined|went down|came down)"),
    **meaning(frozenset({"up"}), "(rose|climbed|went up|crept up|grew|jumped)"),
    **meaning(_ANY, "(went|got|came|was|were|stayed|remained)"),
})  # fmt: skip
"""Movements that were, or are wished: `I'd be happier if it never went`."""

EXCEEDS: Final = listed(
    "(equal|meet|match) or (exceed|surpass|beat)",
    *forms(
        "exceed",
        "go over",
        "go above",
        "outstrip",
        "eclipse",
        "surpass",
        "overshoot",
        "top",
        "pass",
        "cross",
        "go beyond",
        "clear",
    ),
    "be exceeding",
    "be in excess of",
)
FALLS_SHORT: Final = listed(*forms("undercut", "undershoot", "fall short of", "miss"))
BREACHES: Final = listed(*forms("breach", "violate", "break", "break through"))
"""What is done to a bound, whichever it is."""

WORSENS: Final = listed(
    *forms("worsen", "degrade", "deteriorate", "lose", "suffer", "regress", "get worse", "become worse", "be worse", "give up")
)
BETTERS: Final = listed(*forms("improve", "get better", "become better", "be better"))

GAINS: Final = listed(*forms("gain", "win", "add", "pick up", "squeeze out", "squeeze", "earn", "recover", "claw back", "get"))
SAVES: Final = listed(
    *forms(
        "shave",
        "knock",
        "cut",
        "trim",
        "shave off",
        "cut off",
        "knock off",
        "save",
        "strip",
        "lop",
        "take off",
        "shed",
        "chop",
        "slice",
        "chop off",
        "slice off",
    )
)
TAKES: Final = listed(*forms("take", "drop"))
"""They save something only with `off` behind it."""

EXTRA: Final = listed("(another|an extra|a further|an additional|extra|further|additional)")
"""Before or behind a number: it is how far, not where to."""

LOSES: Final = listed(
    *forms("lose", "give up", "sacrifice", "forfeit", "concede", "trade away", "give away"), "(cost|costs|costing) [us|you]"
)  # fmt: skip
HALVES: Final = listed("(halve|halves|halving)")
BEATS: Final = listed(*forms("beat", "exceed", "surpass", "outperform", "outdo", "top"))

RISE: Final = Lexicon[Way]({
    **meaning("better", "[any] (improvement|improvements|uplift)"),
    **meaning("up", "[any] (increase|gain|rise|boost|lift|growth|jump|bump|hike|leap|uptick|climb)"),
    **meaning("down", "[any] (reduction|decrease|cut|drop|fall|decline|dip|slide|slip)"),
    **meaning("worse", "[any] (loss|degradation|deterioration|worsening|regression|setback)"),
})  # fmt: skip
"""Movements as nouns."""
