"""How people deny: what must not be, what nobody wants, what is unacceptable."""

from __future__ import annotations

from typing import Final, Literal

from daemon.goals.patterns import forms
from daemon.goals.reading import Lexicon, listed, meaning

Link = Literal["modal", "duty", "leave", "not", "more", "always"]

CHAIN: Final = Lexicon[Link]({
    **meaning("modal", "(must|should|shall|ought to|to|is to|are to|has got to|have got to|is supposed to|is meant to)"),
    **meaning("duty", "(has|have|need|needs) to"),
    **meaning("leave", "(may|can|could|might)", "(is|are|be) (allowed|permitted|free) to", "(allowed|permitted) to"),
    **meaning(
        "not", "not", "never", "never ever", "not ever", "(didn't|did not|wouldn't|would not)", "not once",
        "(cannot|can't|can not)", "(don't|doesn't|do not|does not)",
        "(mustn't|shouldn't|won't|shan't|isn't to|aren't to|oughtn't to|ought not to|ought never to)", "no longer",
        "never again", "under no (circumstance|circumstances|condition|conditions)", "in no (case|event|way|circumstances)",
        "at no (time|point|moment|stage|point in time)", "on no account", "by no means", "not at any (time|point|moment)",
        "not under any circumstances", "not in any (case|event)", "(isn't|aren't) (allowed|permitted) to",
    ),
    **meaning(
        "more", "[,] at any time ,", ", at any time [,]", ", under any circumstances ,", "ever", "even", "is", "are",
        "at any (time|point|moment)", "under any circumstances", "in any (case|event)",
        "do", "does", "be (allowed|permitted) to", "again", "then", "also", "will", "would",
        "(we|it|they|this|the model|our model|retraining|the retraining|the challenger|any challenger|the new model|a new model)",
    ),
    **meaning("always", "(always|constantly|consistently|continuously|permanently|reliably|at all times)"),
})  # fmt: skip
"""Words that stand before a verb, one after the other: `should under no circumstances ever`."""

TOLD: Final = frozenset({"didn't", "did", "wouldn't"})
"""Of these words those that tell what was or might be, where nothing says that it is wished."""

LETS: Final = listed(
    *forms("let", "allow", "accept", "tolerate", "permit", "risk", "stand for", "put up with", "live with", "settle for",
    "have", "see"),
    "want to (wake up to|hear of|hear about|read of|read about|learn of)", "want [to see|to have|to get]",
    "(afford|afford to have|afford to see|afford to let|like to see|happen that|occur that|be that)",
    "be (ok|okay|happy|fine|satisfied) with", "let it happen that",
)  # fmt: skip
"""Behind a denial: what isn't let happen."""

PREVENTS: Final = listed(
    *forms("avoid", "prevent", "stop", "prohibit", "rule out", "forbid", "guard against", "protect against", "steer clear of"),
    "(nobody|no one|none of us) (wants|likes|accepts|needs|should) [to see|to have|to get|to let]",
    "no to", "(zero|no) tolerance for", "protect us (from|against)",
)  # fmt: skip

FRONTED: Final = listed(
    "never", "under no (circumstance|circumstances|condition|conditions)", "in no (case|event|way)",
    "at no (time|point|moment|stage|point in time)", "on no account", "by no means", "not once",
)  # fmt: skip
"""Denials that may stand before the metric: `at no time may recall fall below`."""

BEHIND: Final = listed(
    "(is|are|would be|will be) (unacceptable|intolerable|inacceptable|forbidden|prohibited|a no go|out of the question|off the"
    " table)",
    "(isn't|aren't|is not|are not|would not be|will not be|is never|are never) (acceptable|ok|okay|fine|allowed|permitted"
    "|tolerated"
    "|tolerable|accepted|an option|acceptable to us|acceptable for us|good enough)",
    "(must not|must never|should not|should never|shall not|shall never|may not|may never|cannot|can not|can't|mustn't|shouldn't)"
    " (happen|occur|be tolerated|be accepted|be allowed|be permitted)", "(won't|will not) (do|be tolerated|be accepted)",
    "(must|should|shall|is to|are to|has to|needs to) be (avoided|prevented)",
)  # fmt: skip
