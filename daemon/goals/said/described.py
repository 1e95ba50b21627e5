"""How people describe metrics instead of naming them: by what is caught, what a warning is worth, how often a model is right."""

from __future__ import annotations

from typing import Final

from daemon.goals.patterns import forms
from daemon.goals.reading import listed

CATCHES: Final = listed(
    *forms("catch", "spot", "find", "identify", "detect", "flag", "recognise", "recognize", "pick up", "pick up on", "capture",
           "uncover", "single out", "reach", "foresee"),
    "(see|seeing|sees) coming",
)  # fmt: skip
"""What is done to those who will churn: `catch at least 80 % of all churners`."""

CAUGHT: Final = listed(
    "(caught|spotted|found|identified|detected|flagged|recognised|recognized|picked up|captured|uncovered|foreseen)"
    " [by (it|us|the model|our model|the classifier)]",
)
BE: Final = frozenset({"be", "get", "being", "are", "is"})

FLAGGED: Final = listed(
    "(it|we|the model|our model|the classifier|driftwake) (flag|flags|warns about|warn about|points at|predict|predicts|mark"
    "|marks|label|labels|picks|pick|calls|call) [as|to]",
    "(flagged|predicted|marked|labelled|labeled|classified|identified) [as|to be|to]", "(flagged|predicted)",
)  # fmt: skip
"""Of whom it is told how many really do: `of the people we flag as churners`."""

WARNINGS: Final = listed("(warnings|alerts|flags|alarms|warning|alert)")
"""Behind an outcome's name: `churn warnings` of which so many should be right."""

SAYS: Final = listed(
    "(when|whenever|if) (the model|our model|the classifier|it|driftwake) (says|predicts|tells us|claims|warns) [that]",
    "of (those|the people|the customers) (the model|it) (says|predicts)",
)  # fmt: skip
"""Before somebody's outcome, where what is said is to be right so often."""

TRULY: Final = listed(
    "(must|should|have to|need to|are to|ought to|shall) (really|actually|truly|indeed|in fact|genuinely)",
    "(really|actually|truly|indeed|in fact|genuinely) (must|should|have to|need to|do|will)",
    "(must|should|have to|need to|are to|ought to|shall) turn out to [really|actually]",
    "(must|should|have to|need to|are to|ought to|shall) [really|actually|truly|indeed|in fact|genuinely] (be|go on to)",
)  # fmt: skip
"""What those who were flagged do, when their name follows."""

RIGHT: Final = listed(
    "[in the] (right|correct)", "it right", "accurate", "true",
)  # fmt: skip
WRONG: Final = listed(
    "[in the] (wrong|mistaken|incorrect)", "it wrong",
)  # fmt: skip
ANSWERS: Final = listed(
    "(in|on|for|with|at) [of] [all] [the] (cases|time|times|occasions|customers|users|requests|answers|decisions|calls|records)",
    "of (its|the model 's|all|our|the) (answers|predictions|decisions|calls|guesses|forecasts)",
    "of [all] [the|our] (cases|time|times|occasions|answers|decisions|calls|records|customers|users|requests)", "of the time",
    "(cases|occasions)",
)  # fmt: skip
"""Of what a share is right."""

COUNTED: Final = listed("times")
"""In how many times out of how many: `nineteen times out of twenty`."""

OFF: Final = listed("(off|wrong|out) [by]")
ESTIMATES: Final = listed("[the|our|its] (predictions|forecasts|estimates|predicted times) [for|of|about]")
ON_AVERAGE: Final = listed("on average", "on the average", "in the mean", "on the whole")
