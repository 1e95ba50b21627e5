"""How people join what they say of requests: who they are, where, on what, and what lists them."""

from __future__ import annotations

from typing import Final, Literal

from daemon.goals.reading import Lexicon, listed, meaning

Joint = Literal["begin", "narrow", "list", "or", "but", "only", "any", "all", "each"]

JOINTS: Final = Lexicon[Joint]({
    **meaning(
        "begin", "(for|among|amongst|in|from|at|across|of|within|inside|throughout|regarding|concerning|covering|into|to)",
        "when it comes to", "in [the] case of", "(with|in) (respect|regard|regards) (to|of)", "(looking|look) [only] at",
        "(considering|counting) [only]", "filtered (to|by|on)", "(restricting|limiting) (to|ourselves to)", "as regards",
        "on the part of", "(if|whenever)", "@", "subject to", "in relation to", "as far as", "in terms of",
        "(limited|restricted|confined) to",
        "out of", "one of", "any of",
        "either of",
    ),
    **meaning(
        "narrow",
        "(with|where|when|whose|having|who|which|that|are|is|have|has|on|via|through|over|by|using|use|uses|being|:"
        "|currently)", "(live|lives|living|located|based|residing|reside|resides|situated|resident|registered) [in|at]",
        "(come|comes|coming|arrive|arrives|arriving|originating|originate) [in|from|through|via|over|by]",
        "(belong|belongs|belonging) to", "(subscribed|subscribing|subscribe|subscribes|enrolled|signed up) (to|in|on|for)",
        "(paying|pay|pays) for", "(on|using|under) (a|an|the)",
        "(buying|buy|buys|ordering|shopping|shop|shops) [in|from|through|via|on|by|over]", "(who've|that've|who're|that're)",
        "(call|calls|calling|contact|contacts|contacting|reach|reaches|reaching|ring|ringing) [us] (by|via|on|over|through|in)",
        "(leave|leaves|leaving|enter|entering)", "(chose|chosen|picked|selected|opted for|took|hailing from|stemming from)",
        "(ordered|bought|booked|acquired|joined|came|signed up) (through|via|from|in|on|by)", "based",
        "(going|go|goes|passing|routed|handled|sent|shipped|delivered|dispatched|processed|served|placed|bound|headed|destined"
        "|leaving)"
        " (in|to|from|through|via|at|by|for)", "(hold|holds|holding|own|owns|owning)",
    ),
    **meaning("list", "(,|and|&|/|plus|+)", "as well as", "along with", "together with", ", and"),
    **meaning("or", "or", ", or", "and (/|) or"),
    **meaning("but", "[,] but (only|with|on|where|who|whose) [for|in]", "[,] and (only|specifically) [for|in]"),
    **meaning("only", "(only|specifically|exclusively|solely|just)"),
    **meaning("any", "(the|our|my|a|an|both|either|their|its)"),
    **meaning("all", "(all|whole|entire) [the|of the|of our|our|my]"),
    **meaning("each", "(any|each|every)"),
})  # fmt: skip

BEGINS: Final = listed(
    "(if|whenever) [a|an|the]", "@", "subject to", "in relation to",
    "(for|among|amongst|in|on|with|where|when|from|at|across|of|having|within|via|through|using|only|just|specifically|regarding"
    "|concerning)", "when it comes to", "in relation to", "in [the] case of", "(with|in) (respect|regard|regards) (to|of)",
    "(looking|look) [only] at",
    "(considering|counting) [only]", "filtered (to|by|on)", "(restricting|limiting) (to|ourselves to)", "as regards",
    "(limited|restricted|confined) to", "(only|just|specifically|but only) (for|in|on|among|with|where|from)", "as far as",
    "out of",
)  # fmt: skip
"""Words that a cohort can begin with."""

ENDS: Final = listed("(is|are) concerned", "(goes|go)")
"""What may follow `as far as`."""

TOGETHER: Final = listed("(combined|together|alike|taken together|counted together|as one)")
"""What may follow several values: not each of them by itself."""

EVERYONE: Final = listed(
    "across the board", "for (everyone|everybody|anyone|anybody)", "(for|across|over|on) all of (them|it)", "everywhere",
    "globally",
)  # fmt: skip
