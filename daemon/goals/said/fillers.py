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
    "(i|we) (hope|intend|aim|plan|commit|undertake|care about|agreed on|agreed) [to|that]",
    "(we |i |)gotta", "(is|are) (required|obliged|supposed|meant|intended) to [be]", "(should|must) be able to", "let",
    # What the goal is
    "(our|the|my) [new|overall|current|main] (goal|target|aim|objective|requirement|ambition|expectation|request|plan|ask) [here]"
    " (is|would be|should be)", "(goal|target|aim|objective|requirement|request) is", "[a|the] (goal|objective|aim) (of|to)",
    "with the (goal|aim|objective) of", "with a view to", "the (idea|point) is [to|that]", "our job is to",
    "(what|all) (i|we) (want|need|would like|expect|am after|are after|care about) [here] is", "what (i'm|we're) after is",
    "what 's (needed|wanted|required) is", "(needed|wanted) is", "there (should|must|has to|needs to) be",
    "(is|'s) (what|all) (we|i) (need|want|expect|require|are after|would like)",
    "(would|'d) be (great|good|nice|lovely|perfect|fantastic)",
    "(it is|it 's|this is|that 's) [very|really] (important|essential|necessary|required|vital|crucial|critical|mandatory"
    "|imperative|key"
    "|paramount|a must|desired|expected|requested|demanded|agreed) [to us|for us]",
    "(is|are) (important|essential|vital|crucial|critical|key|mandatory|imperative) [to us|for us]", "matters [to us|to me|most]",
    # Politeness
    "(i'd|we'd|i would|we would) be [very|really] (happy|glad|grateful|delighted|pleased|thankful) if [you could|we could|you"
    " can|we can]",
    "(it|that|this) would be (great|good|nice|lovely|wonderful|perfect|fantastic|helpful|awesome|cool) (if|to) [you could|we"
    " could]",
    "it'd be (great|good|nice|lovely|wonderful|perfect|fantastic|helpful) (if|to) [you could|we could]",
    "let 's", "let us", "lets", "would you mind", "would it be possible to", "(can|could|would|will) (you|we|i)",
    "(please|kindly) see that",
    "(give|get|help) (me|us) [to]", "be so (kind|good) as to", "if you (please|don't mind|would)", "please",
    "see if (you|we) can", "go ahead and",
    "(i was wondering|any chance|do you think) [if|whether] (you|we) (could|can|would)", "would you be able to", "shall we",
    "(how|what) about", "why (don't we|not)", "(may|might|could) i ask [you|for|you to|you for]", "any chance of",
    "when you (have time|get a chance|have a minute)", "be sure to", "(remember|feel free) to", "try and", "do your best to",
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
    "(hey|hi|hello|dear) [there|team|all|everyone|folks|everybody]", "good (morning|afternoon|evening)", "(team|folks|driftwake)",
    "(thanks|thank you|cheers|thx|ty|many thanks) [a lot|so much|very much|in advance|a million]", "(best|kind) regards",
    "regards",
    "(pls|plz|kindly|ok|okay|alright|so|fyi|also|still|then|too|again|as well)", "quick (one|question|request)",
    "(goal|target|objective|scope|horizon|constraint|constraints|condition|conditions|requirement|requirements|period|model"
    "|metric|cohort"
    "|segment|note|request|task|todo|action|ask|wish|rule|policy|slo|sla|kpi|okr|subject|aim|when|who|what|where) :",
    "new (goal|target|objective)",
    # Small words
    "(i|we|you|us|me|they|it|this|that|there|here|'s)", "(to|of|with|and|the|a|an|our|my|your|its|their)",
    "(be|being|having|will|do)",
    "(while|whilst)", "in terms of", "(metric|metrics)", "(which|this) means [that]", "(namely|in short|in other words)",
    "to be (precise|clear)", "all the way", "or better", ",", ".", ";", ":", "!", "?", "(", ")",
    # Always
    "(always|constantly|consistently|continuously|continually|permanently|reliably|steadily|ever|henceforth|indefinitely"
    "|forever)",
    "(absolutely|definitely|certainly|surely|really|simply|actually|indeed|overall|globally|immediately)", "right away",
    "for good",
    "at all times", "all the time", "at any time", "at any given (time|moment)", "from (now|here|today) on", "going forward",
    "as of (now|today)", "in [the] future", "(starting|beginning|effective) (now|today|immediately)", "in (production|prod)",
    "day and night",
    "no matter what", "without (fail|exception|exceptions)", "as (soon|quickly|fast) as possible", "asap", "in the process",
    "in doing so", "at the same time", "(in check|under control|at bay)", "no (exceptions|exception|excuses|matter what)",
    "under (all|any) (circumstances|conditions)", "in (all|any|every|each) (case|cases|event|situation|situations)",
    "moving forward",
    "from this (point|moment) on", "around the clock", "throughout", "come what may", "whatever happens", "by all means",
    "full stop",
    "out of (the|our) model", "(see|seeing|enjoy|experience|receive)", "once and for all",
    # The model itself
    "the [current] (model|classifier|predictor|regressor|scorer|system|service) ['s]",
    "(our|this|my) (model|classifier|system) ['s]",
    "model 's", "(on|of|in) (the|our) model", "(the|its) scores",
)  # fmt: skip

HAVE: Final = frozenset({"have"})
WHO_HAS: Final = frozenset({"i", "we", "you", "they"})
"""Before `have` they tell a fact: `we have a recall of 80 %`."""

BUT: Final = frozenset({"but", "yet"})
"""They hold a sentence together before a verb; before anything else they may except it."""

TELLS: Final = listed("(is|are)")
"""Not at the beginning of a sentence, where they ask."""

ASKED: Final = frozenset({
    "will", "would", "does", "did", "has", "can", "could", "may", "might", "shall", "should", "must", "won't", "wouldn't",
    "doesn't", "can't", "couldn't", "shouldn't",
})  # fmt: skip
"""First words of a question or a condition, unless who is asked follows: `could you`."""

WHO_IS_ASKED: Final = frozenset({"you", "we", "i", "us", "it", "not"})

WHO_WANTS: Final = listed(
    "[the|our|my] (business|management|board|regulator|regulators|regulation|law|legal|compliance|finance|marketing|sales"
    "|product|risk"
    "|stakeholders|auditors|auditor|client|sla|slo|policy|contract|boss|ceo|cfo|cto|team|department|owner|director|bank"
    "|supervisor|company)"
    " [team|department|owner|manager|managers|people|board|side|unit|folks]",
)  # fmt: skip
WANTS: Final = listed(
    "(wants|needs|requires|demands|expects|asks for|asked for|insists on|calls for|mandates|stipulates|would like|states"
    "|specifies"
    "|prescribes|want|need|require|demand|expect|say|says|asks|ask for|has asked for|promises) [that|to see|to have|us to|us]",
    "(obliges|requires|wants|asks|expects|tells|told|asked) us to",
)  # fmt: skip
