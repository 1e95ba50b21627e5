"""How asides begin: why something is wanted, by whom, by what it was agreed; and what another word stands for."""

from __future__ import annotations

from typing import Final, Literal

from daemon.goals.reading import Lexicon, listed, meaning

Aside = Literal["clause", "phrase", "word"]

_AGREED: Final = (
    "as (agreed|discussed|requested|required|promised|specified|stated|stipulated|mandated|demanded|defined|outlined|planned)"
)
OPENINGS: Final = Lexicon[Aside]({
    **meaning(
        "clause", "because [of]", "(so|such) that", "to avoid", "in order to (avoid|satisfy|please|comply with)", "due to",
        "owing to", "since (we|our|the|it|this|that|they|my|their)", "(as|so) long as (i'm|we're|i am|we are)",
    ),
    **meaning(
        "phrase", "(according|pursuant|due|owing|thanks) to", "in (accordance|line|agreement|compliance) with", "as per",
        "per (our|the|your)", "on behalf of", "(to|in order to) (comply with|meet|satisfy|honour|honor|fulfil|fulfill|respect)",
        "for the (purpose|purposes) of", "in the interest of", "as part of", "by order of",
        f"{_AGREED} (by|with|in|under)", "given (our|the)",
    ),
    **meaning("word", _AGREED, "as usual", "as always"),
})  # fmt: skip
"""A clause goes on to the next mark; a phrase is a few words, maybe without a mark behind them; behind a word is a mark.

`So` and `as` alone are none: `so we lied` and `as we joked` take back what stands before them.
"""

LEADS: Final = Lexicon[Literal["role", "self", "call"]]({
    **meaning("role", "[speaking|writing] as [a|an|the|our|your]"),
    **meaning("self", "(i'm|i am|we're|we are) [a|an|the|your|our]"),
    **meaning("call", "(this is|it is|it 's) [a|an|the|your|our]"),
})  # fmt: skip
HERE: Final = listed("here", "(speaking|calling|writing) [here]")
"""Around who speaks; `this is the risk team` needs `speaking` behind it, without which it may judge: `this is a risk`."""

STAKEHOLDERS: Final = listed(
    "(business|management|board|regulator|regulators|auditor|auditors|stakeholder|stakeholders|shareholder|shareholders|investor"
    "|investors|boss|bosses|chief|ceo|cfo|cto|coo|cro|cmo|cio|ciso|vp|head|heads|lead|leads|leader|leaders|leadership|director"
    "|directors|manager|managers|owner|owners|officer|officers|team|teams|department|departments|committee|committees|council"
    "|staff|colleague|colleagues|agent|agents|analyst|analysts|engineer|engineers|scientist|scientists|developer|developers"
    "|operator|operators|dispatcher|dispatchers|driver|drivers|planner|planners|controller|controllers|supervisor|supervisors"
    "|company|provider|supplier|vendor|contractor|processor|party|parties|partner|partners|union|works council|ministry"
    "|authority|authorities|bank|legal|compliance|finance|marketing|sales|operations|ops|support|procurement|accounting|logistics"
    "|security|risk|product|engineering|executives|executive|exec|execs|sponsor|sponsors|steering group|steerco|higher ups"
    "|people|counsel|lawyer|attorney|consultant|coordinator|specialist|expert|representative|rep|secretary|treasurer|chair"
    "|president|founder|advisor|adviser|administrator|admin|architect|designer|assistant|clerk|nurse|doctor|technician"
    "|accountant|foreman|skipper|call centre|call center|contact centre|help desk|service desk|head office|back office"
    "|headquarters|hq)"
    " [team|teams|department|people|folks|side|unit|committee|board|officer|lead|leads|manager|managers|owner|owners]",
)  # fmt: skip
"""Who wants something. None of them is a part of the requests."""

DOCUMENTS: Final = listed(
    "(law|laws|regulation|regulations|directive|directives|contract|contracts|agreement|agreements|policy|policies|sla|slas|slo"
    "|slos|framework|rule|rules|rulebook|guideline|guidelines|guidance|standard|standards|charter|mandate|statement|appetite"
    "|risk appetite|roadmap|okr|okrs|kpi|kpis|strategy|clause|article|section|paragraph|annex"
    "|gdpr|playbook|runbook|handbook|commitment|commitments|code of conduct)",
)  # fmt: skip
"""What demands something."""

UNDER: Final = listed("(under|per|by|following|given|considering) [the|our|this|that|these|their|its|your|my]")
ON_BEHALF: Final = listed(
    "(in line with|in accordance with|in compliance with|according to|pursuant to|as per|in view of|in light of|in keeping with"
    "|subject to|on the basis of|based on|as part of|in terms of|for the purposes of|to comply with|to satisfy|to meet|to honour"
    "|to honor|on behalf of|as required by|as demanded by|as agreed with|as agreed in|as stated in|as laid down in|as set out in"
    "|as requested by|as discussed with|thanks to|at the request of|together with|speaking for|speaking as|writing for)"
    " [the|our|this|that|these|their|its|your|my]",
)  # fmt: skip
"""What may stand before them: `as requested by our new risk officer`, and before what demands, `under the risk framework`."""

PROMISED: Final = listed("(is|was|'s) what (i|we) (promised|pledged|guaranteed|agreed with|told|owe|signed with)")
SEASONS: Final = listed("(season|period|phase|time|days|weeks|holidays|rush|campaign|sale)")
"""What days are called that are said behind it; of anything else that stands there so they may be the days of somebody."""
VIEWS: Final = listed("(perspective|standpoint|viewpoint|point of view|angle)")
"""What `from a risk perspective` ends with."""

REASONS: Final = listed("(reason|reasons|purpose|purposes)")
CAUSES: Final = listed(
    "(compliance|audit|audits|auditing|legal|regulatory|safety|security|contractual|business|fairness) [reasons|purposes"
    "|requirements]",
    "[fiscal|financial|capacity|budget|staff|workforce|resource|internal|external|monthly|quarterly|yearly"
    "|annual|our|the] (planning|reporting|budgeting|staffing|scheduling|rostering|audit|audits|auditing|bookkeeping)",
)
MEANS: Final = listed(
    "(i . e .|i . e|ie|that is|that is to say|meaning|namely|in other words|defined as|to be precise) [,]",
    "(which|this|that) means", "by which (i|we) mean",
)  # fmt: skip
"""Between a word that nobody declared and the condition that it stands for."""

HEDGES: Final = frozenset({
    "if", "unless", "when", "whenever", "until", "till", "except", "only", "but", "than", "or", "otherwise", "else", "instead",
    "most", "some", "half", "any", "every", "each", "all", "both", "either", "top", "best", "worst", "former", "other", "others",
    "while", "as", "long", "provided", "roughly", "nearly", "almost", "about", "around", "approximately", "before", "after",
    "since", "last", "above", "below", "under", "over", "more", "less", "per", "then", "twice", "once", "usually", "mostly",
    "like", "same", "similar", "apart", "aside", "rather", "sometimes", "occasionally", "often", "neither", "besides",
    "maybe", "perhaps", "possibly", "probably", "during", "throughout",
    "hardly", "barely", "scarcely", "rarely", "seldom",
})  # fmt: skip
"""Words that change what is asked, wherever they stand: an aside with one of them isn't passed over."""
