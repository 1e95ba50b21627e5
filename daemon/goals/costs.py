"""What reaching a goal may cost at most: `spend at most 200 euros`, `max 2 GPU hours`, `for less than $100 a month`.

Minutes say of what: training, or a GPU. Money has a currency, and a word that it is spent: it may be what a metric counts.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from daemon.goals.objective import Cost, Currency, Every
from daemon.goals.parts import CostPart, Part, Trouble
from daemon.goals.reading import Found, Lexicon, Reading, number_at
from daemon.goals.tokens import Token
from daemon.goals.words import ARTICLES, CURRENCIES, EACH, MINUTES

_EACH: Final[tuple[Every, ...]] = ("day", "week", "month", "quarter", "year")
_SPENDS: Final = Lexicon[bool](dict.fromkeys((
    "spend", "spending", "spends", "pay", "paying", "use", "using", "cost", "costs", "costing", "for", "budget", "budget of",
    "a budget of", "with a budget of", "on a budget of", "within a budget of", "with a budget", "cost cap", "cost cap of",
    "with a cost cap of", "cost limit", "cost limit of", "spending limit", "spending limit of", "training cost",
    "training costs", "training budget", "training budget of", "it may cost", "may cost", "at a cost of", "but spend",
), True))  # fmt: skip
_CAPPING: Final = frozenset({"budget", "cap", "limit"})
_NOT_MORE: Final = Lexicon[bool](dict.fromkeys(
    tuple(
        f"{denial} {verb} more than"
        for denial in ("without", "don't", "do not", "but don't", "but do not", "never", "but without")
        for verb in ("spend", "spending", "use", "using", "pay", "paying", "cost", "costing")
    ),
    True,
))  # fmt: skip
_MUST_NOT: Final = Lexicon[bool](dict.fromkeys((
    "must not exceed", "may not exceed", "should not exceed", "shall not exceed", "shouldn't exceed", "mustn't exceed",
    "can't exceed", "cannot exceed", "not exceeding", "must not be more than", "must not be higher than",
    "may not be more than", "must never exceed", "should never exceed", "not to exceed",
), True))  # fmt: skip
_LINKS: Final = frozenset(
    {"must", "should", "shall", "is", "are", "to", "be", "stay", "stays", "remain", "remains", "kept", ":", "="}
)
_AT_MOST: Final = Lexicon[bool](dict.fromkeys((
    "at most", "no more than", "not more than", "less than", "under", "below", "up to", "max", "maximum", "a maximum of",
    "maximum of", "<", "<=", "≤", "capped at", "within", "limited to", "not over",
), True))  # fmt: skip
_BEHIND: Final = Lexicon[bool](dict.fromkeys(("or less", "at most", "max", "maximum", "at the most"), True))
_KINDS: Final = Lexicon[str]({
    **dict.fromkeys(("of training", "training", "of training time", "training time", "for training"), "training"),
    **dict.fromkeys(("of gpu", "gpu", "of gpu time", "gpu time", "on a gpu", "on the gpu", "on gpu"), "gpu"),
})  # fmt: skip
_PER: Final = Lexicon[Every]({
    **{f"{word} {each}": each for word in ("per", "a", "each", "every", "/") for each in _EACH},
    "per retraining": "retraining", "each retraining": "retraining", "per training": "retraining",
    "for each retraining": "retraining",
})  # fmt: skip


class _Limit(NamedTuple):
    """Words before an amount: whether they cap it, and whether they are of spending."""

    is_capped: bool
    is_spent: bool


def read_cost(reading: Reading, at: int) -> Found[Part] | None:
    """Read what it may cost."""
    place = reading.skip(at, ARTICLES | {"with"})
    often = reading.token(place)
    per = EACH.get(often.text) if often is not None and often.kind == "word" else None
    limit = _limit_at(reading, place if per is None else place + 1)
    amount = _amount_at(reading, limit)
    if amount is None:
        return None
    behind = None if limit.value.is_capped else _BEHIND.at(reading, amount.end)
    if not limit.value.is_capped and behind is None:
        return None
    end = behind.end if behind is not None else amount.end
    if isinstance(amount.value, Trouble):
        return Found(end, amount.value)
    return _with_per(reading, Found(end, amount.value), per)


def _with_per(reading: Reading, cost: Found[Cost], per: Every | None) -> Found[Part]:
    each = _PER.at(reading, cost.end)
    if each is None:
        return Found(cost.end, CostPart(msgspec.structs.replace(cost.value, per=per)))
    if per not in {None, each.value}:
        return Found(each.end, Trouble("cost_unit", f"for each {per} or for each {each.value}?"))
    return Found(each.end, CostPart(msgspec.structs.replace(cost.value, per=each.value)))


def _limit_at(reading: Reading, at: int) -> Found[_Limit]:
    if not_more := _NOT_MORE.at(reading, at):
        return Found(not_more.end, _Limit(is_capped=True, is_spent=True))
    spends = _SPENDS.at(reading, at)
    if spends is None:
        most = _AT_MOST.at(reading, at)
        return Found(most.end if most else at, _Limit(is_capped=most is not None, is_spent=False))
    if must_not := _MUST_NOT.at(reading, spends.end):
        return Found(must_not.end, _Limit(is_capped=True, is_spent=True))
    place = reading.skip(spends.end, _LINKS)
    most = _AT_MOST.at(reading, place)
    is_cap = any(reading.is_one_of(one, _CAPPING) for one in range(at, spends.end))
    return Found(most.end if most else place, _Limit(is_capped=most is not None or is_cap, is_spent=True))


def _amount_at(reading: Reading, limit: Found[_Limit]) -> Found[Cost | Trouble] | None:
    at, is_spent = limit.end, limit.value.is_spent
    sign = reading.token(at)
    if sign is not None and sign.kind == "sign" and sign.text in CURRENCIES:
        number = number_at(reading, at + 1)
        return None if number is None or not is_spent else _money(number, CURRENCIES[sign.text], number.end)
    number = number_at(reading, at)
    unit = None if number is None else reading.token(number.end)
    if number is None or unit is None or unit.kind not in {"word", "sign"}:
        return None
    if unit.text in CURRENCIES:
        return _money(number, CURRENCIES[unit.text], number.end + 1) if is_spent else None
    return _minutes(reading, number, is_spent=is_spent)


def _money(number: Found[Token], currency: Currency, end: int) -> Found[Cost | Trouble]:
    return Found(end, Cost(money=number.value.value, currency=currency))


def _minutes(reading: Reading, number: Found[Token], *, is_spent: bool) -> Found[Cost | Trouble] | None:
    """Read `30 minutes of training`, `2 gpu hours`."""
    before = _KINDS.at(reading, number.end)
    place = before.end if before else number.end
    unit = reading.token(place)
    if unit is None or unit.kind != "word" or unit.text not in MINUTES:
        return None
    kind = before or _KINDS.at(reading, place + 1)
    end = max(place + 1, kind.end if kind else 0)
    if kind is None:
        return Found(end, Trouble("cost_unit", "minutes of what? Say `of training` or `of GPU`")) if is_spent else None
    minutes = number.value.value * MINUTES[unit.text]
    return Found(end, Cost(training_minutes=minutes) if kind.value == "training" else Cost(gpu_minutes=minutes))
