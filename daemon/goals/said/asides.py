"""How asides begin: why something is wanted, by whom, by what it was agreed; and what another word stands for."""

from __future__ import annotations

from typing import Final, Literal

from daemon.goals.reading import Lexicon, listed, meaning

Aside = Literal["clause", "phrase"]

OPENINGS: Final = Lexicon[Aside]({
    **meaning(
        "clause",
        "because [of]", "(so|such) that", "so", "to avoid", "in order to (avoid|satisfy|please|comply with)", "due to",
        "owing to",
        "as (agreed|discussed|requested|required|promised|specified|stated|stipulated|mandated|demanded|defined|outlined|per)",
    ),
    **meaning(
        "phrase",
        "(according|pursuant|due|owing|thanks) to", "in (accordance|line|agreement|compliance) with", "as per",
        "per (our|the|your)", "on behalf of",
        "(to|in order to) (comply with|meet|satisfy|honour|honor|fulfil|fulfill|respect)",
        "for the (purpose|purposes|sake|benefit) of",
        "in the interest of", "as part of", "by (law|contract|regulation|policy)", "by order of",
        "under (our|the|this) (sla|contract|policy)",
        "as (agreed|discussed|requested|required|mandated|demanded) (by|with|in)", "given (our|the)",
    ),
})  # fmt: skip
"""A clause goes on to the next mark; a phrase is a few words, maybe without a mark behind them."""

REASONS: Final = listed("(reason|reasons|purpose|purposes)")
CAUSES: Final = listed(
    "(compliance|audit|audits|auditing|legal|regulatory|safety|security|contractual|business|fairness) [reasons|purposes"
    "|requirements]"
)
MEANS: Final = listed(
    "(i . e .|i . e|ie|that is|that is to say|meaning|namely|in other words|defined as|to be precise) [,]",
    "(which|this|that) means",
    "by which (i|we) mean",
)  # fmt: skip
"""Between a word that nobody declared and the condition that it stands for."""

HEDGES: Final = frozenset({
    "if", "unless", "when", "whenever", "until", "till", "except", "only", "but", "than", "or", "otherwise", "else", "instead",
    "most", "some", "half", "any", "every", "each", "all", "both", "either", "top", "best", "worst", "former", "other",
    "others", "while",
    "as", "long", "provided", "roughly", "nearly", "almost", "about", "around", "approximately", "before", "after", "since",
    "last",
    "above", "below", "under", "over", "more", "less", "per", "then", "twice", "once", "usually", "mostly", "like", "same",
    "similar",
})  # fmt: skip
"""Words that change what is asked, wherever they stand: an aside with one of them isn't passed over."""
