"""How people say which numbers of a column belong to a cohort, and words for columns that are called as people call them."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from daemon.goals.reading import Lexicon, listed, meaning
from daemon.goals.words import TENS

End = Literal["low", "high", "other"]

BEFORE: Final = Lexicon[End]({
    **meaning(
        "low", "at [the very] least", "from", "(no|not) (less|lower|fewer|smaller|younger|lighter|shorter|cheaper) than",
        "not (below|under)", "(aren't|isn't|are not|is not|not) (younger|lighter|cheaper|shorter|lower|below|under) [than]",
        "starting (at|from)", ">=", "≥", "=>", "a minimum of", "minimum [of]", "min", "at or (above|over)",
        "(above|over) or (at|equal to)", "(greater|more|higher|older|heavier|longer) than or equal to",
        "equal to or (greater|more|higher|above) than",
        "upwards of",
    ),
    **meaning(
        "high", "[strictly] (below|under|beneath)", "[strictly] (less|lower|smaller|fewer) than",
        "(younger|lighter|cheaper|shorter) than", "[but] not yet", "<", "up to (below|under)",
        "up to but (not|excluding) [including]",
        "to (below|under)",
    ),
    **meaning(
        "other", "(above|over|beyond|past)", "(more|greater|higher|larger|bigger|older|heavier|longer) than", ">", "at most",
        "up to [and including]", "(no|not) (more|older|heavier|longer|higher|greater|larger) than", "<=", "≤", "=<", "between",
        "=", "==", "equal to", "equals", "!=", "not", "(maximum|max) [of]", "a maximum of", "at or (below|under)", "exactly",
        "(less|lower) than or equal to", "equal to or (less|lower|below) than",
    ),
})  # fmt: skip

BEHIND: Final = Lexicon[End]({
    **meaning(
        "low", "or (more|older|higher|above|over|greater|larger|heavier|longer|up|upwards|beyond)",
        "and (up|above|over|older|more|upwards|higher|heavier|beyond|longer)", "+", "plus", "upwards", "at [the] least",
        "(minimum|min)",
    ),
    **meaning(
        "other", "or (less|younger|lower|below|under|fewer|smaller|lighter|shorter)", "and (below|under|less|younger|lower)",
        "at [the] most", "(maximum|max)",
    ),
})  # fmt: skip

JOINTS: Final = listed("(and|to|but|,)", ", (but|and)")


class Dimension(NamedTuple):
    """What columns of a name are measured by: words for having so much, units that tell them, and others that may follow."""

    names: frozenset[str]
    having: Lexicon[str]
    units: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


AGES: Final = frozenset({"age"})
DIMENSIONS: Final = (
    Dimension(AGES, listed("aged"), ("years old", "years of age", "year olds"), ("years",)),
    Dimension(frozenset({"weight"}), listed("(weighing|weigh|weighs)")),
    Dimension(frozenset({"value", "price", "amount", "total"}), listed("worth", "valued (at|from)", "priced (at|from)")),
    Dimension(frozenset({"duration", "length"}), listed("(lasting|lasts|last)")),
)

DECADES: Final = {f"{word.removesuffix('y')}ies": tens for word, tens in TENS.items()}
"""Ten years of a life by what people call them: `in their forties`."""

MORE: Final[dict[str, str]] = {"older": "age", "younger": "age", "heavier": "weight", "lighter": "weight", "cheaper": "value"}
"""What is compared by a word: who is older is so by age."""
