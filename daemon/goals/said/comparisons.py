"""How people compare a metric with a number, before it and behind it. At the number itself a bound is met."""

from __future__ import annotations

from typing import Final

from daemon.goals.parts import Side
from daemon.goals.reading import Lexicon, listed, meaning

BEFORE: Final = Lexicon[Side]({
    **meaning(
        "floor", "at [the very|the] least", "at [a|an absolute|a bare] minimum [of]", "(minimum|min|minimal|minimally) [of]",
        "a minimum of",
        "(no|not|never|nothing) (less|lower|smaller|fewer) (than|then|as)", "(at least|minimally) to",
        "by (minimum|a minimum of)", "at least as (high|large|big) as", "(not|never|nothing) (below|under|beneath|short of)",
        "(above|over|beyond|past)", "(more|greater|higher|larger|bigger) than", "at or (above|over)",
        "[either] (above|over) or (at|equal to)", "equal to or (above|over)",
        "equal [to] or (greater|higher|more|larger|bigger) than", "(greater|higher|more|larger|bigger) than or equal [to]",
        "upward[s] of", "in excess of", "north of", "exceeding", "floor [of|at]", "lower (bound|limit) [of|at]", ">", ">=", "=>",
        "≥", "⩾",
    ),
    **meaning(
        "ceiling", "at [the very|the] most", "at [a|an absolute] maximum [of]", "(maximum|max|maximal|maximally) [of]",
        "a maximum of",
        "(no|not|never|nothing) (more|higher|greater|larger|bigger) (than|then|as)", "by (maximum|a maximum of)",
        "at most as (high|large|big) as",
        "(not|never|nothing) (above|over|beyond|past)",
        "(below|under|beneath)", "(less|lower|smaller|fewer) than", "at or (below|under)", "(below|under) or (at|equal to)",
        "equal to or (below|under)", "equal [to] or (less|lower|smaller) than", "(less|lower|smaller) than or equal [to]",
        "south of", "(not|without) exceeding", "not in excess of", "not to exceed", "ceiling [of|at]",
        "upper (bound|limit) [of|at]", "cap [of|at]", "limit [of|at]", "down to", "(faster|quicker) than", "sub [-]", "<", "<=",
        "=<", "≤", "⩽",
    ),
    **meaning(
        "natural", "at", "@", "of", "to", "=", "==", "is", "equal to", "(no|not|never|nothing) worse than", "better than",
        "at least as good as", "as good as",
    ),
})  # fmt: skip

BOUND_BY: Final = listed("(capped|limited|restricted) (to|at)", "bounded by", "capped by")
"""Ceilings that are said by what is done to the metric: `is limited to`."""

WITHIN: Final = listed("within", "in (under|less than)", "inside [of]")
"""Ceilings of times alone; of other numbers they would say how far from something."""

UP_TO: Final = listed("up to")

BEHIND: Final = Lexicon[Side]({
    **meaning(
        "floor", "or (more|higher|above|over|greater|larger|bigger|up|upwards|beyond)",
        "and (above|up|upwards|higher|over|more|beyond|greater)", "[and] no (less|lower)", "+", "plus",
        "[as a|as the] (minimum|min)", "at [the very|the] (least|lowest)", "at [a] minimum",
        "[and|,] (not|nothing|no) [a bit|a hair|a point] less",
    ),
    **meaning(
        "ceiling", "or (less|lower|below|under|fewer|smaller|faster|quicker)", "and (below|lower|under|less)",
        "[and] no (more|higher|longer)", "[as a|as the] (maximum|max)", "at [the very|the] (most|highest)",
        "at [a] maximum", "tops", "at the outside",
        "[and|,] (not|nothing|no) [a bit|a hair|a point|a minute|a second|a millisecond|a day] more",
    ),
    **meaning("natural", "or better"),
})  # fmt: skip

_ALLOWED: Final = "(acceptable|tolerable|allowed|permitted|permissible|required|allowable|admissible)"
_CAN: Final = "(can|could|would|want to|will|are willing to|am willing to) (accept|tolerate|allow|live with|have|take|afford)"
APART: Final = Lexicon[Side]({
    **meaning(
        "floor", "[as a|as the] [hard|strict|firm|absolute] (minimum|min|floor|lower bound|lower limit)",
        "at [the|the very] least", "at [a] minimum",
        f"[the] (minimum|min|minimal|lowest|least) {_ALLOWED}", f"(is|are) the (least|minimum|lowest) (we|i) {_CAN}",
        "(is|are) the (least|minimum|lowest) (we'd|i'd) (accept|tolerate|allow|settle for)",
        "(is|are) the (least|minimum|lowest) (we|i) (need|want|require|expect)",
    ),
    **meaning(
        "ceiling", "[as a|as the] [hard|strict|firm|absolute] (maximum|max|ceiling|upper bound|upper limit|cap|limit)",
        "(caps|capping|limits|limiting|limited|capped)", "at [the|the very] most", "at [a] maximum", "tops",
        f"[the] (maximum|max|maximal|highest|largest|most) {_ALLOWED}", f"(is|are) the (most|maximum|highest) (we|i) {_CAN}",
        "(is|are) the (most|maximum|highest) (we'd|i'd) (accept|tolerate|allow|settle for)",
        f"the (maximum|highest) [that] (we|i) {_CAN} is",
    ),
})  # fmt: skip
"""Sides that stand apart from their number: `a minimum precision of 95 %`, `cap the error rate at 5 %`."""

OR_MORE: Final = Lexicon[Side]({
    **meaning("floor", "or (more|higher|above|greater|over)"), **meaning("ceiling", "or (less|lower|below|fewer|under)"),
})  # fmt: skip
"""Behind the metric of a number: `80 % recall or more`."""

WHERE: Final = Lexicon[str]({
    **meaning("down", "[any|anything] (below|under|beneath)", "[any|anything] (lower|less|smaller|fewer) (than|then)",
    "to (below|under)", "short of"),
    **meaning(
        "up", "[any|anything] (above|over|beyond|past)", "[any|anything] (higher|more|greater|larger|bigger) (than|then)",
        "to (above|over)",
        "in excess of"
    ),
    **meaning("worse", "[any] worse than"),
})  # fmt: skip
"""On which side of a number something comes to lie."""

ANYTHING: Final = listed("anything", "everything", "values", "any value", "all values", "a value")
RANGES: Final = listed("[in] between", "(in|within|inside) [the|a] (range|band|corridor) [of|between|from]")
