"""The words that several phrases of a goal share. Those of one kind of phrase stand where it is read."""

from __future__ import annotations

from typing import Final

from daemon.goals.objective import Currency, Every

NUMBERS: Final[dict[str, int]] = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18,
    "nineteen": 19,
}  # fmt: skip
TENS: Final[dict[str, int]] = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip

SPANS: Final[dict[str, tuple[int, str]]] = {
    **dict.fromkeys(("hour", "hours", "hr", "hrs", "h"), (1, "hour")), **dict.fromkeys(("day", "days", "d"), (1, "day")),
    **dict.fromkeys(("week", "weeks", "wk", "wks", "w"), (1, "week")), **dict.fromkeys(("month", "months", "mo"), (1, "month")),
    **dict.fromkeys(("fortnight", "fortnights"), (2, "week")), **dict.fromkeys(("quarter", "quarters"), (1, "quarter")),
    **dict.fromkeys(("year", "years", "yr", "yrs"), (1, "year")),
}  # fmt: skip
"""Units of time by what people write, in how many of which goals count."""

EACH: Final[dict[str, Every]] = {
    "daily": "day", "weekly": "week", "monthly": "month", "quarterly": "quarter", "yearly": "year", "annual": "year",
    "annually": "year",
}  # fmt: skip

MINUTES: Final[dict[str, float]] = {
    "minute": 1, "minutes": 1, "min": 1, "mins": 1, "m": 1, "hour": 60, "hours": 60, "h": 60, "hr": 60, "hrs": 60,
    "second": 1 / 60,
    "seconds": 1 / 60, "day": 1_440, "days": 1_440,
}  # fmt: skip

MILLISECONDS: Final[dict[str, float]] = {
    "ms": 1, "msec": 1, "msecs": 1, "millis": 1, "milli": 1, "millisecond": 1, "milliseconds": 1, "s": 1_000,
    "sec": 1_000, "secs": 1_000, "second": 1_000, "seconds": 1_000,
}  # fmt: skip

COUNTED_IN: Final = (
    frozenset({"minute", "minutes", "min", "mins"}), frozenset({"hour", "hours", "hr", "hrs", "h"}), frozenset({"day", "days"}),
    frozenset({"euro", "euros", "eur", "€"}), frozenset({"dollar", "dollars", "usd", "$"}),
    frozenset({"kg", "kgs", "kilo", "kilos", "kilogram", "kilograms"}),
    frozenset({"km", "kilometre", "kilometres", "kilometer", "kilometers"}),
)  # fmt: skip
"""Units that an error of a regression may be said in, by what people write."""

CURRENCIES: Final[dict[str, Currency]] = {
    "€": "EUR", "eur": "EUR", "euro": "EUR", "euros": "EUR", "$": "USD", "usd": "USD", "dollar": "USD", "dollars": "USD",
    "bucks": "USD",
    "£": "GBP", "gbp": "GBP", "pound": "GBP", "pounds": "GBP", "quid": "GBP", "chf": "CHF", "franc": "CHF", "francs": "CHF",
}  # fmt: skip
"""Dollars are those of the United States, francs those of Switzerland; the read-back says so."""

PER_CENT: Final = frozenset({"%", "percent", "pct"})
POINTS: Final = frozenset({"point", "points", "pp", "ppt", "pts"})
ARTICLES: Final = frozenset({"a", "an", "the"})

NEGATIONS: Final = frozenset({
    "not", "no", "never", "non", "none", "without", "except", "excluding", "excludes", "exclude", "outside", "neither", "nor",
    "!=", "≠", "don't", "doesn't", "didn't", "isn't", "aren't", "wasn't", "won't", "can't", "cannot", "mustn't", "shouldn't",
    "wouldn't", "couldn't", "needn't", "unlike", "besides", "minus",
})  # fmt: skip
"""Words that turn the meaning of others around: one that belongs to nothing that was recognised is told as such."""

NOUN_FAMILIES: Final = (
    frozenset({
        "customer", "customers", "user", "users", "client", "clients", "account", "accounts", "subscriber", "subscribers",
        "member", "members", "shopper", "shoppers", "buyer", "buyers", "consumer", "consumers", "household", "households",
        "person", "persons", "people", "individual", "individuals", "folk", "folks",
    }),
    frozenset({"order", "orders", "purchase", "purchases", "transaction", "transactions", "payment", "payments"}),
    frozenset({
        "parcel", "parcels", "package", "packages", "shipment", "shipments", "delivery", "deliveries", "consignment",
        "consignments", "item", "items", "route", "routes", "trip", "trips", "tour", "tours",
    }),
    frozenset({
        "request", "requests", "session", "sessions", "contract", "contracts", "event", "events", "record", "records", "case",
        "cases", "row", "rows",
    }),
)  # fmt: skip
PLAIN_NOUNS: Final = frozenset[str]().union(*NOUN_FAMILIES)
"""What rows are called, in families of words for the same. The word itself chooses none of them: without a condition or `all` a
cohort isn't understood."""

VAGUE_NOUNS: Final = frozenset({"traffic", "data", "stuff", "things"})
"""Behind a name that stands for a range they may say something else: `under heavy traffic`, `on new data`."""

NOT_ROWS: Final = frozenset({
    "goal", "goals", "target", "targets", "objective", "objectives", "aim", "requirement", "requirements", "request", "idea",
    "point", "plan", "ambition", "expectation", "ask", "wish", "task", "rule", "policy", "slo", "sla", "kpi", "okr", "budget",
    "team", "model", "models", "metric", "metrics", "training", "gpu", "department", "cost", "costs", "scope", "note",
    "condition", "contract",
})  # fmt: skip
"""Behind a bare value they say what else it is of: `our basic requirement` is none of customers on the plan `basic`."""

NOUNS: Final = PLAIN_NOUNS | {
    "population", "traffic", "base", "clientele", "everyone", "everybody", "everything", "anyone", "anybody", "anything",
    "those", "ones", "data", "stuff", "things", "goods", "area", "areas", "zone", "zones", "place", "places", "market",
    "markets", "territory", "territories", "resident", "residents",
}  # fmt: skip
"""What stands where rows could: several of them, or where they are."""

GROUPS: Final = frozenset({
    "cohort", "cohorts", "segment", "segments", "slice", "slices", "group", "groups", "subgroup", "subgroups", "bucket",
    "buckets",
})  # fmt: skip
"""What cohorts are called: `all segments` may mean each of them by itself."""
