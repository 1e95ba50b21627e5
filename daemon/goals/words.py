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

SPANS: Final[dict[str, str]] = {
    "hour": "hour", "hours": "hour", "h": "hour", "day": "day", "days": "day", "d": "day", "week": "week", "weeks": "week",
    "month": "month", "months": "month", "quarter": "quarter", "quarters": "quarter", "year": "year", "years": "year",
}  # fmt: skip
"""Units of time by what people write, in which goals count."""

EACH: Final[dict[str, Every]] = {
    "daily": "day", "weekly": "week", "monthly": "month", "quarterly": "quarter", "yearly": "year", "annual": "year",
    "annually": "year",
}  # fmt: skip

MINUTES: Final[dict[str, float]] = {
    "minute": 1, "minutes": 1, "min": 1, "mins": 1, "hour": 60, "hours": 60, "h": 60, "hrs": 60, "second": 1 / 60,
    "seconds": 1 / 60,
}  # fmt: skip

MILLISECONDS: Final[dict[str, float]] = {
    "ms": 1, "msec": 1, "millisecond": 1, "milliseconds": 1, "s": 1_000, "sec": 1_000, "secs": 1_000, "second": 1_000,
    "seconds": 1_000,
}  # fmt: skip

CURRENCIES: Final[dict[str, Currency]] = {
    "€": "EUR", "eur": "EUR", "euro": "EUR", "euros": "EUR", "$": "USD", "usd": "USD", "dollar": "USD", "dollars": "USD",
    "£": "GBP", "gbp": "GBP", "pound": "GBP", "pounds": "GBP", "chf": "CHF", "franc": "CHF", "francs": "CHF",
}  # fmt: skip
"""Dollars are those of the United States, francs those of Switzerland; the read-back says so."""

PER_CENT: Final = frozenset({"%", "percent", "pct"})
POINTS: Final = frozenset({"point", "points", "pp", "ppt", "pts"})
ARTICLES: Final = frozenset({"a", "an", "the"})

NEGATIONS: Final = frozenset({
    "not", "no", "never", "non", "none", "without", "except", "excluding", "excludes", "exclude", "outside", "neither", "nor",
    "!=", "≠", "don't", "doesn't", "didn't", "isn't", "aren't", "wasn't", "won't", "can't", "cannot", "mustn't", "shouldn't",
    "wouldn't", "couldn't", "needn't", "unlike", "besides",
})  # fmt: skip
"""Words that turn the meaning of others around: one that belongs to nothing that was recognised is told as such."""

FLOORS: Final = (
    "at least", "no less than", "not less than", "no lower than", "not lower than", "no smaller than", "not below", "not under",
    "at or above", "above", "over", "more than", "greater than", "higher than", "larger than", ">", ">=", "≥", "minimum",
    "minimum of", "a minimum of", "at minimum", "at a minimum of", "min", "floor", "floor of", "never below", "never under",
    "never less than", "upwards of",
)  # fmt: skip
CEILINGS: Final = (
    "at most", "no more than", "not more than", "no higher than", "not higher than", "no greater than", "not greater than",
    "not above", "not over", "at or below", "below", "under", "less than", "lower than", "smaller than", "fewer than", "<",
    "<=", "≤", "maximum", "maximum of", "a maximum of", "at maximum", "at a maximum of", "max", "ceiling", "ceiling of",
    "capped at", "never above", "never over", "never more than",
)  # fmt: skip
"""Comparisons of a metric; at the number itself both hold."""

NOUNS: Final = frozenset({
    "customer", "customers", "user", "users", "client", "clients", "account", "accounts", "subscriber", "subscribers",
    "request", "requests", "order", "orders", "parcel", "parcels", "transaction", "transactions", "payment", "payments", "case",
    "cases", "row", "rows", "population", "traffic", "people", "everyone", "everybody",
})  # fmt: skip
"""What rows are called. The word itself chooses none of them: without a condition or `all` a cohort isn't understood."""

GROUPS: Final = frozenset({"cohort", "cohorts", "segment", "segments", "slice", "slices", "group", "groups"})
"""What cohorts are called: `all segments` may mean each of them by itself."""
