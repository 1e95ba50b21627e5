"""How people ask for a prediction."""

from __future__ import annotations

from typing import Final

from daemon.goals.patterns import forms
from daemon.goals.reading import Lexicon, listed, meaning

PREDICTS: Final = listed(
    *forms("predict", "forecast", "estimate", "anticipate", "foresee"),
    "(prediction|predictions|forecast|forecasts) [of|for|about]",
    "(estimate|estimates|predictor|predictors|early warning|early warnings|heads up|warning|warnings) (of|for|about|on)",
    "(predictor|predictors)",
)  # fmt: skip
"""Verbs and nouns of predicting; what is predicted stands behind them, before them or apart."""

PREDICTED: Final = frozenset({"predicted", "forecast", "forecasted", "estimated"})
PASSIVE: Final = frozenset({"be", "being", "get", "is", "are"})
"""`is to be predicted`, but not `predicted churn`, which speaks of what was."""

ASKS: Final = listed(
    "(tell|show) [me|us]", "(warn|alert) (me|us) (of|about)", "let (me|us) know", "[estimate|predict|tell me|tell us] how likely",
    "see (which|who|whether)",
    "(know|learn|find out|say|identify|flag|spot|detect|find|determine|single out|work out|list) [all|the|all the|those]",
    "(give|send|get) (me|us|my team|our team) [a list of|the list of] [all|the]",
    "be (told|informed|warned|notified) [of|about]",
)  # fmt: skip
"""Verbs that ask for a prediction where a target follows."""

CREATES: Final = listed(
    "(create|build|train|develop|produce|make|fit|set up|provide|design|deliver) [me|us] [a|an|another] [new]",
    "(give|get|send) (me|us|my team|our team) [a|an|another] [new]", "(want|need|needs|like|require) [a|an|another] [new]",
    "(a|an|another) [new]",
)  # fmt: skip
KINDS: Final = Lexicon[str]({
    **meaning("model", "(model|classifier|predictor|regressor|something|tool|system|service)"),
    **meaning("several", "(list|lists|watchlist|scores|prediction|predictions|forecast|forecasts|forecaster|estimate|estimates)"),
})  # fmt: skip
"""What is made: a model that predicts, or its predictions."""

FOR: Final = listed(
    "(to|that|which|who) [can|could|will|should|would] (predict|predicts|forecast|forecasts|estimate|estimates|anticipates"
    "|anticipate|tell|tells"
    "|identify|identifies|spot|spots|flag|flags|say|says|detect|detects|foresees|knows) [us|me]",
    "(able|capable) (to|of) (predict|predicting|forecast|forecasting|estimate|estimating|tell|telling)",
    "for [predicting|forecasting|estimating]", "(predicting|forecasting|estimating)", "of",
)  # fmt: skip
"""What links a model to what it predicts."""

GOING: Final = listed("[are|is] (going to|expected to|likely to) be", "[are|is] going to (arrive|come|get there)")
"""Behind `how late parcels`."""

WHO: Final = listed("who", "which [of] [our|the|my]", "what", "whose", "which ones of [our|the]")

WILL: Final = listed(
    "(will|would|might|may|could)", "(is|are) (going|likely|about|expected) to", "(is|are) to", "likely to",
    "(is|are) at risk (of|to)",
    "at risk (of|to)", "(is|are) prone to", "prone to", "(is|are) in danger of", "in danger of", "(is|are) set to",
    "(is|are) (threatening|bound) to", "to",
)  # fmt: skip

CHANCES: Final = listed(
    "[the|a] (probability|likelihood|risk|chance|propensity|odds) (of|to|that)",
    "[the|a] (probabilities|chances|risks) (of|that)",
)  # fmt: skip
CHANCE: Final = listed("(probability|probabilities|likelihood|risk|risks|propensity)")
"""Behind what is predicted."""
