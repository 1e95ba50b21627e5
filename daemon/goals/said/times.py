"""How people say when a goal is for, and over what a value is counted."""

from __future__ import annotations

from typing import Final

from daemon.goals.patterns import spelled
from daemon.goals.reading import Lexicon, listed, meaning

UNTIL: Final = Lexicon[str]({
    **meaning(
        "unsure", "[by] (until|till|til)", "by", "up (to|until)", "[by] (no|not) later than", "on or before",
        "[the|with a|a] deadline [is|of|:|on]", "[all] the way to", "at the latest by", "due [by|on]",
    ),
    **meaning("last", "[all the way|up] (through|thru)", "up to and including", "until and including", "up until and including"),
    **meaning("before", "before"),
})  # fmt: skip
"""Behind what isn't a day, `by March` may mean its beginning or its end."""

FROM: Final = listed(
    "(from|between)",
    "with effect from",
    "(for|in|during|over|throughout) the (period|time|term|days) (from|between|of)",
    "(starting|beginning|effective) [from|on|in]",
    "as of",
)
AT_LATEST: Final = listed("at the latest")
FROM_NOW: Final = listed("(from|between|starting|beginning|starting from|effective) (now|today) [on|and|onwards|,|and ending]")
"""Before `until`: a goal begins today anyway."""

END_OF: Final = listed("[the] [very] end of [the]", "[the] last day of [the]", "[the] (close|closing) of [the]")
YEAR_END: Final = Lexicon[str]({
    **{phrase: unit for unit, short in (("year", "eoy"), ("quarter", "eoq"), ("month", "eom"), ("week", "eow"))
       for phrase in spelled(f"[the] {unit} end", f"[the] {unit} 's end", f"[the] {short}",
       f"[the] end of [the|this|the current] {unit}")},
})  # fmt: skip
"""The end of the year, quarter, month or week in which today lies, where no other one is said."""

REST: Final = listed("[for|over|during|throughout|until the end of] [the] (rest|remainder) of [the|this]")
NEXT: Final = Lexicon[str]({
    **meaning("next", "next"), **meaning("this", "(this|current|present|ongoing)"), **meaning("coming",
    "(coming|following|upcoming)"),
})  # fmt: skip
DAYS: Final = Lexicon[int]({"today": 0, "now": 0, "tomorrow": 1})
ON_DAYS: Final = Lexicon[int]({
    **meaning(1, "[for|on|during] tomorrow"), **meaning(0, "(for|on|during) today"),
})  # fmt: skip
IN: Final = listed(
    "(in|for|during|over|within|throughout|across|through|all)", "[over|in|during] the course of",
    "all (of|through|throughout|over)", "[for|in] the (whole|entire) [of]", "(in|during|for) [the|all of the] [calendar] year",
    "(in|during|for) [the] month of", "[for] the (year|period)", "(for|over|during) the (duration|length|entirety|span) of",
    "(covering|spanning|concerning|regarding)",
)  # fmt: skip
QUARTERS: Final = Lexicon[int]({
    **meaning(1, "[the] (q1|first quarter|1st quarter|quarter 1|quarter one)"),
    **meaning(2, "[the] (q2|second quarter|2nd quarter|quarter 2|quarter two)"),
    **meaning(3, "[the] (q3|third quarter|3rd quarter|quarter 3|quarter three)"),
    **meaning(4, "[the] (q4|fourth quarter|last quarter|4th quarter|quarter 4|quarter four)"),
})  # fmt: skip
HALVES: Final = Lexicon[int]({
    **meaning(1, "[the] (h1|first half|1st half)"), **meaning(2, "[the] (h2|second half|2nd half)"),
})  # fmt: skip
OF_YEAR: Final = Lexicon[int]({
    **meaning(1, "[of|in] next year"), **meaning(0, "[of|in] (this|the current) year"),
})  # fmt: skip
"""Behind a quarter or month: how many years later."""
AHEAD: Final = listed(
    "ahead [of time]", "in advance", "out", "from (now|today)", "before it happens", "beforehand", "(in|into) the future",
    "horizon", "'s notice", "of lead time", "prediction horizon", "forecast horizon", "ahead horizon",
)  # fmt: skip
HORIZON: Final = listed(
    "[with|at|over|for] [a|the] [prediction|forecast] horizon (of|is|:)", "[with|at] [a] lead time of",
    "[with|at|over|for] [a] horizon of",
)  # fmt: skip

ROLLING: Final = frozenset({
    "any", "each", "every", "rolling", "sliding", "moving", "trailing", "calendar", "given", "single", "full", "consecutive",
    "running", "individual",
})  # fmt: skip
LOOSE: Final = frozenset({"calendar", "given", "single", "full", "consecutive", "individual"})
"""Of these words one that says that it is each stretch of time."""

RATES: Final = frozenset({"per", "a", "each", "every", "in", "within", "weekly", "monthly", "daily", "quarterly", "yearly"})
"""Words with which a stretch of time may begin that says how fast, or how often."""

SURE: Final = listed(
    "[rolling|sliding|time] window (=|:|of)", "[aggregation] period =",
    "[as|when] (measured|computed|calculated|evaluated|averaged|counted|aggregated|assessed|determined|taken|considered"
    "|looked at|viewed|checked|reviewed|tracked|monitored|reported"
    "|considering)"
    " [over|in|on|per|across|within|for|by|at|over the last|over the past|over the previous|over the preceding]",
    "(per|for each|for every|at any|on a|on an)", "(in|over|on|within|during|across|throughout) (each|every|any)",
    "on average (over|in|per|across|for)",
    "as (a|an) [rolling|moving|sliding] average (over|in|per|across|of)",
    "(in|over) (a|an|the) (rolling|sliding|moving|trailing)",
)  # fmt: skip
"""Words that say that a value is counted over what follows."""

OVER: Final = listed("over")
IN_WINDOWS: Final = frozenset({"in", "on", "within", "across", "for", "using", "with"})
MOVING: Final = frozenset({"rolling", "sliding", "moving", "trailing", "running"})
WINDOWS: Final = frozenset(
    {"window", "windows", "period", "periods", "basis", "interval", "intervals", "timeframe", "span", "spans"}
)
COUNTED: Final = listed("(measured|computed|counted|calculated|taken|evaluated|tracked)")
"""Before `week by week`."""
BY_TURNS: Final = Lexicon({
    f"{unit} {joint} {unit}": unit for unit in ("day", "week", "month", "quarter", "year") for joint in ("by", "after")
})  # fmt: skip
AT_A_TIME: Final = listed("at a time", "at once")
CADENCE: Final = frozenset({"each", "every"})
HOW_OFTEN: Final = {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month", "quarterly": "quarter",
"yearly": "year",
                    "annual": "year", "annually": "year"}  # fmt: skip
