"""Words that hold a sentence together, and words that only say that something is wanted."""

from __future__ import annotations

from typing import Final

from daemon.goals.patterns import forms
from daemon.goals.reading import listed

WISHES: Final = listed(
    # Verbs of wanting
    "(must|should|shall|ought to|has to|have to|had better|needs to|need to|is to|are to|has got to|have got to|'s got to) [be]",
    *forms("want", "need", "require", "demand", "expect", "insist on", "call for", "ask for", "wish for", "hope for", "deserve"),
    "(needed|required|demanded|requested|desired|wanted|called for|asked for)",
    "(want|need|expect|require) (you|it|the model|us) to",
    "(would|i'd|we'd|i'll|we'll) (like|love|want|prefer|appreciate|welcome|need) [it if|to have|to see|to get|for|to]",
    "(would|i'd|we'd) (rather|sooner) [have|see]", "(am|are|is|'s|i'm|we're) (looking|aiming|hoping|asking) for", "looking for",
    "(am|are|is|'s|i'm|we're) (after|interested in|committed to|hoping to|aiming to|looking to)",
    "(i|we) (hope|intend|aim|plan|commit|undertake|care about|agreed on|agreed|promised|pledged|owe|signed up for) [to|that]",
    "(we |i |)gotta",
    "(is|are) (required|obliged|supposed|meant|intended) to [be]", "(should|must) be able to", "let",
    # What the goal is
    "(our|the|my) [new|overall|current|main] (goal|target|aim|objective|requirement|ambition|expectation|request|plan|ask) [here]"
    " (is|would be|should be)",
    "[the|our|a] (goal|target|aim|objective|requirement|request|tolerance|threshold|bar|benchmark|requirement) (is|for|of|on"
    "|in)", "[a|the] (goal|objective|aim) [of|to|for]", "(threshold|benchmark) [of]",
    "find [a|the|some] (way|ways) to", "with the (goal|aim|objective) of", "with a view to", "the (idea|point) is [to|that]",
    "our job is to", "(what|all) (i|we) (want|need|would like|expect|am after|are after|care about|hope for) [here] is",
    "(what|all) (i|we) (want|need|expect|require|ask for) :", "(deserve|deserves) (no less|nothing less) [than]",
    "(i|we) (owe|promised) [it to] [our|the|all our] (clients|customers|users|people)",
    "what (i'm|we're|i am|we are) (after|shooting for|looking for|aiming for|hoping for|asking for|going for) is",
    "(it|that|this) would (help|please|delight) (me|us) [a lot|greatly|enormously|very much] [if|to]",
    "(i'd|we'd|i would|we would) (be|feel) [much|a lot|far|so much] (happier|safer|better|more comfortable) if",
    "(it is|it 's) (wished|desired|requested|required|expected|asked|our wish|my wish|hoped) (to have|to see|that|to)",
    "(i'd|we'd|i would|we would) (settle for|take|accept|be fine with|be happy with|be content with|be satisfied with"
    "|be comfortable with|be ok with|be okay with)", "(i'm|we're|i am|we are) (worried|concerned|anxious) about",
    "(i|we) (ask|wish|request|propose|suggest|recommend|urge|beg) [you] [that|to]", "do the needful (to|and)",
    "(find|get|build|train|give|use|pick|choose) [me|us] a model (with|that has|that gives|whose)",
    "make it (a|our|the) (rule|habit|priority|point|goal|aim) (that|to)",
    "is what (i'm|we're|i am|we are) (asking for|after|looking for|aiming for|hoping for|going for)",
    "(contractually|legally|formally|officially) (bound|obliged|required|committed) to", "must insist [on] [that]",
    "(is|are) (important|essential|vital|crucial|critical|key|mandatory|imperative) (to|for) (our|the) (business|company"
    "|customers|team)",
    "(i|we) just (want|need|ask for|ask)",
    "(make|making) that",
    "(it is|it 's|this is) (our|your|my|the) (duty|job|goal|aim|task|responsibility|obligation|intention|wish|plan|ambition)"
    " [to|that]", "(i|we) would [like|love|want|prefer|appreciate|welcome] [it if|to have|to see|to get|for|to]",
    "what 's (needed|wanted|required) is", "(needed|wanted) is", "there (should|must|has to|needs to) be",
    "(is|'s) (what|all) (we|i) (need|want|expect|require|are after|would like)",
    "(would|'d) be (great|good|nice|lovely|perfect|fantastic)",
    "(it is|it 's|this is|that 's) [very|really] (important|essential|necessary|required|vital|crucial|critical|mandatory"
    "|imperative|key"
    "|paramount|a must|desired|expected|requested|demanded|agreed) [to us|for us]",
    "(is|are) (important|essential|vital|crucial|critical|key|mandatory|imperative) [to us|for us]",
    "matters [to us|to me|most]",
    # Politeness
    "(i'd|we'd|i would|we would) be [very|really] (happy|glad|grateful|delighted|pleased|thankful) (if|for) [you could|we"
    " could|you"
    " can|we can]",
    "(it|that|this) would be (great|good|nice|lovely|wonderful|perfect|fantastic|helpful|awesome|cool) (if|to) [you could|we"
    " could]", "it'd be (great|good|nice|lovely|wonderful|perfect|fantastic|helpful) (if|to) [you could|we could]", "let 's",
    "let us", "lets", "would you mind", "(would it be|is it) possible to",
    "is there [any|a] (way|chance) (to|we can|we could|you can|you could)", "if (you|we) could [please]",
    "(that'd|it'd|that would|it would) be (great|good|nice|lovely|wonderful|perfect|fantastic|helpful|ideal)",
    "(i'd|we'd|i would|we would) (appreciate|love) (it|that)", "[would be] (much|greatly|very much) appreciated",
    "(can|could|would|will) (you|we|i|someone|somebody|anyone|anybody)", "[please|kindly] see that",
    "(give|get|help) (me|us) [to]", "be so (kind|good) as to", "if you (please|don't mind|would)", "please",
    "see if (you|we) can", "go ahead and", "(i was wondering|any chance|do you think) [if|whether] (you|we) (could|can|would)",
    "would you be able to", "shall we", "(how|what) about", "why (don't we|not)",
    "(may|might|could) i ask [you|for|you to|you for]", "any chance of", "when you (have time|get a chance|have a minute)",
    "be sure to", "(remember|feel free) to", "try and", "do your best to",
    "do (everything|all|what|whatever) [it|you|we] [can|takes|is needed|is necessary|need] [to]", "(aim|try|plan|work) to",
    "work towards",
    # What is to be done about it
    "make it so that", "(so|such) that", "in such a way that", "so as to", "in order to",
    "(set|put|place|impose|establish|define|apply|use)",
    "(train|tune|adapt|update|fix) [it|the model|our model|this model] (so that|such that)",
    "retrain [it|the model|our model|this model] (so that|such that|to)", "it must be [that]", "must be guaranteed",
    "keep (an eye|your eye|our eyes) on", "pay attention to", "watch over",
)  # fmt: skip
"""They say that something is to be, which `is` alone doesn't."""

NOTHING: Final = listed(
    # To whom it is said, and how
    "(hey|hi|hello|dear) [there|team|all|everyone|folks|everybody]", "good (morning|afternoon|evening)",
    "(team|folks|driftwake) (,|:|-)",
    "(thanks|thank you|cheers|thx|ty|many thanks) [a lot|so much|very much|in advance|a million]", "(best|kind) regards",
    "regards", "(pls|plz|kindly|ok|okay|alright|so|fyi|still|again)", "quick (one|question|request)",
    "(goal|target|objective|scope|horizon|constraint|constraints|condition|conditions|requirement|requirements|period|model"
    "|metric|cohort"
    "|segment|note|request|task|todo|action|ask|wish|rule|policy|slo|sla|kpi|okr|subject|aim|when|who|what|where) :",
    "new (goal|target|objective)",
    # Small words
    "(i|we|you|us|me|they|it|this|that|there|here|'s)", "(i'm|we're|you're|they're|i've|we've|i'll|we'll)",
    "(to|of|with|and|the|a|an|our|my|your|its|their)", "(be|being|having|will|do)", "(while|whilst)", "in terms of",
    "(metric|metrics)", "(which|this) means [that]", "(namely|in short|in other words)",
    "(allowed|permitted|acceptable|tolerable|tolerated|admissible)", "to be (precise|clear)",
    "by (law|contract|regulation|policy)", "under (our|the|this) (sla|slo|contract|policy|agreement)", "all the way",
    "or better", ",", ".", ";", ":", "!", "?", "(", ")",
    # Always
    "(always|constantly|consistently|continuously|continually|permanently|reliably|steadily|ever|henceforth|indefinitely"
    "|forever)", "(absolutely|definitely|certainly|surely|really|simply|actually|indeed|immediately)", "right away", "for good",
    "at all times", "all the time", "every [single] time", "at any time", "at any given (time|moment)",
    "from (now|here|today) on", "going forward",
    "as of (now|today)", "in [the] future", "(starting|beginning|effective) (now|today|immediately)", "in (production|prod)",
    "day and night", "no matter what", "without (fail|exception|exceptions)", "as (soon|quickly|fast) as possible", "asap",
    "valid", "in advance", "ahead of time", "beforehand", "in the process", "in doing so", "at the same time",
    "(in check|under control|at bay)",
    "no (exceptions|exception|excuses|matter what|compromises|compromise|ifs or buts|discussion|discussions|debate|arguments)",
    "end of story", "period", "[and] that 's (it|all|that|final)", "that is (it|all)", "if you ask me", "for what it is worth",
    "(let me|to) put it (simply|bluntly|clearly|this way|plainly)", "in (my|our) (view|opinion|book|eyes)", "the whole thing",
    "(is|are) (a|an|our|the|my) [absolute|hard|clear|big|biggest|top|main|real|major|number one] (red line|priority|flagship"
    "|concern"
    "|problem|issue|headache|pain point|core business|focus|worry|key indicator|key risk indicator|key metric|kpi|big deal"
    "|lifeline|business|future|bread and butter)",
    "(is|are) (key|crucial|vital|precious|valuable|important) (customers|clients|accounts|business) [for us|to us]",
    "(matter|matters) [a lot|most|much|to us|to me]",
    "[our|the|my] (nps|reputation|revenue|bonus|business|job|jobs|budget|planning) (depends|depend|hinges|rides|relies) on (it"
    "|this|that)",
    "for (them|these|those)", "no matter (how|who|where|when)", "for (goodness|heaven|pete) ['s] sake",
    "(notwithstanding|regardless of|irrespective of) (anything|everything) else", "above all [else]", "first of all",
    "[the|our|my] most important (thing|point) [is]", "|",
    "first and foremost", "(steady|stable|steadily|firmly)", "at the end of the day", "to be (honest|clear|fair|frank)",
    "with (immediate effect|effect from now|effect from today)", "under (all|any) (circumstances|conditions)",
    "in (all|any|every|each) (case|cases|event|situation|situations)", "moving forward", "from this (point|moment) on",
    "around the clock", "throughout", "come what may", "whatever happens", "by all means", "full stop", "out of (the|our) model",
    "(see|seeing|enjoy|experience|receive)", "back", "[that|which] (you|we) can (get|achieve|reach|find|manage)",
    "once and for all",
    # The model itself
    "the [current] (model|classifier|predictor|regressor|scorer|system|service|thing|tool|algorithm) ['s]",
    "(our|this|my) (model|classifier|system) ['s]", "(on|of|in) (the|our) model", "(the|its) scores",
)  # fmt: skip

HAVE: Final = frozenset({"have", "has"})
WHO_HAS: Final = frozenset({"i", "we", "you", "they"})
"""Before `have` they tell a fact: `we have a recall of 80 %`."""

ALSO: Final = listed("(also|too|as well|additionally|besides|in addition|likewise)")
"""They hold a sentence together, but may add one cohort to another."""

BUT: Final = frozenset({"but", "yet", "just"})
"""They hold a sentence together before a verb; before anything else they may except it."""

TELLS: Final = listed("(is|are)")
"""Not at the beginning of a sentence, where they ask."""

ASKED: Final = frozenset({
    "will", "would", "does", "did", "has", "can", "could", "may", "might", "shall", "should", "must", "won't", "wouldn't",
    "doesn't", "can't", "couldn't", "shouldn't",
})  # fmt: skip
"""First words of a question or a condition, unless who is asked follows: `could you`."""

WHO_IS_ASKED: Final = frozenset({"you", "we", "i", "us", "it", "not", "someone", "somebody", "anyone", "anybody"})

WANTS: Final = listed(
    "(wants|needs|requires|demands|expects|asks for|asked for|insists on|calls for|mandates|stipulates|would like"
    "|prescribes|want|need|require|demand|expect|asks|ask for|has asked for|have asked for|promises"
    "|allow|allows|tolerate|tolerates|accept|accepts|permit|permits|insist on|insist|insists|call for|stipulate|mandate|has set"
    "|have set|sets|set|is asking for|are asking for|keeps asking for|keep asking for|is after|are after|wishes|wish|wish for"
    "|wishes for|hopes for|undertakes|undertake|guarantees|guarantee|commits|commit|pledges|pledge"
    "|needs us|provides|foresees|dictates|dictate|is keen on|are keen on"
    "|is happy with|are happy with|asked for|promised|prefers|prefer|would prefer|would love|would like|'d like|would appreciate)"
    " [that|to|to see|to have|us to|us|on|on having|it that]",
    "(has|have) (signed off on|approved|confirmed|requested|ordered|mandated|promised|committed to) [that]",
    "(signs|signed) off on", "(approves|approved) [that]",
    "(obliges|requires|wants|asks|expects|tells|told|asked) us to", "(can|could) only (work|live|cope|operate) with",
)  # fmt: skip
SAYS: Final = listed(
    "(says|say|said|states|stated|specifies|specified|writes|wrote|told us|tells us|thinks|believes|agree|agrees|agreed"
    "|decided|has decided|have decided|have agreed|has agreed) [that|on]"
)
"""What comes behind it is no wish by that."""
SLIPPED: Final = listed(
    "(has|have) (slipped|dropped|fallen|suffered|deteriorated|worsened|been slipping|been falling) [lately|recently|again"
    "|of late]",
)  # fmt: skip
"""What was told before a mark; behind it stands no number."""
