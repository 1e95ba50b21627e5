"""What reaching a goal may cost at most: `spend at most 200 euros`, `max 2 GPU hours`, `for less than $100 a month`.

Minutes say of what: training, or a GPU. Money has a currency. Where no word says that it is spent, it is a goal's cost only if it
stands apart from the metric, and the metric isn't an error of a regression, which may be counted in money.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from daemon.goals.numbers import count_at, number_at
from daemon.goals.objective import Cost, Currency, Every
from daemon.goals.parts import CostPart, Part, Trouble
from daemon.goals.reading import Found, Reading
from daemon.goals.said.costs import (
    AT_MOST,
    BEHIND,
    BUDGETS,
    CAPPING,
    CURRENCY,
    KINDS,
    LINKS,
    MUST_NOT,
    NOT_MORE,
    PER,
    PROVIDED,
    SPENDS,
    SPENT,
    TAILS,
    Kind,
)  # fmt: skip
from daemon.goals.words import ARTICLES, CURRENCIES, EACH, MINUTES

_LEADING: Final = ARTICLES | {"with", "within", "on", "it", "this", "that"}
_APART: Final = frozenset({",", ";", ".", ":", "with", "and", "(", "-", "but"})
_CODES: Final = frozenset({"eur", "usd", "gbp", "chf"})


class _Limit(NamedTuple):
    """Words before an amount: whether they cap it, whether they say that it is spent, and of what minutes are."""

    is_capped: bool
    is_spent: bool
    kind: Kind = "any"


def read_cost(reading: Reading, at: int) -> Found[Part] | None:
    """Read what it may cost."""
    provided = PROVIDED.at(reading, at)
    place = reading.skip(provided.end if provided else at, _LEADING)
    found = _capped(reading, at, place) or _budgeted(reading, place)
    if found is None and place > at and provided is None:
        found = _capped(reading, at, at)
    return found


def _capped(reading: Reading, at: int, place: int) -> Found[Part] | None:
    """Read a cap and its amount, in either order."""
    often = reading.token(place)
    per = EACH.get(often.text) if often is not None and often.kind == "word" else None
    limit = _limit_at(reading, place if per is None else place + 1)
    amount = _amount_at(reading, limit.end, limit.value)
    if amount is None:
        return None
    if per is None and any(_is_each_training(reading, one) for one in range(max(at - 1, 0), limit.end)):
        per = "retraining"
    behind = BEHIND.at(reading, amount.end) if not limit.value.is_capped else None
    end = behind.end if behind else amount.end
    spent = SPENT.at(reading, end)
    is_said = limit.value.is_spent or spent is not None or _stands_apart(reading, at)
    is_money = isinstance(amount.value, Cost) and amount.value.money is not None
    if not (limit.value.is_capped or behind) or (is_money and not is_said):
        return None
    if isinstance(amount.value, Trouble):
        return Found(end, amount.value) if limit.value.is_spent else None
    return _with_per(
        reading,
        Found(spent.end if spent else end, amount.value),
        per,
        is_said=limit.value.is_spent or spent is not None or not is_money,
    )


def _is_each_training(reading: Reading, at: int) -> bool:
    return reading.is_one_of(at, {"each", "every"}) and reading.is_one_of(at + 1, {"training", "retraining"})


def _stands_apart(reading: Reading, at: int) -> bool:
    """Whether an amount of money can only be a goal's cost, though no word says that it is spent."""
    before = at - 1 if reading.is_one_of(at - 1, _APART) else at
    is_apart = before < at or at == 0 or reading.is_one_of(at, {"with"})
    return is_apart and reading.vocabulary.schema.task != "regression"


def _budgeted(reading: Reading, at: int) -> Found[Part] | None:
    """Read `a 200 euro budget`."""
    amount = _amount_at(reading, at, _Limit(is_capped=True, is_spent=True))
    budget = BUDGETS.at(reading, amount.end) if amount else None
    if amount is None or budget is None or isinstance(amount.value, Trouble):
        return None
    return _with_per(reading, Found(budget.end, amount.value), None, is_said=True)


def _with_per(reading: Reading, cost: Found[Cost], per: Every | None, *, is_said: bool) -> Found[Part]:
    each = PER.at(reading, cost.end)
    if each is not None and per not in {None, each.value}:
        return Found(each.end, Trouble("cost_unit", f"for each {per} or for each {each.value}?"))
    end = TAILS.past(reading, each.end if each else cost.end)
    if reading.is_one_of(end, {"on"}) and (doing := reading.token(end + 1)) is not None and doing.text.endswith("ing"):
        end += 1
    return Found(end, CostPart(msgspec.structs.replace(cost.value, per=each.value if each else per), is_said))


def _limit_at(reading: Reading, at: int) -> Found[_Limit]:
    if not_more := NOT_MORE.at(reading, at):
        return Found(not_more.end, _Limit(is_capped=True, is_spent=True, kind=not_more.value))
    spends = SPENDS.at(reading, at)
    if spends is None:
        most = AT_MOST.at(reading, at)
        return Found(most.end if most else at, _Limit(is_capped=most is not None, is_spent=False))
    if must_not := MUST_NOT.at(reading, spends.end):
        return Found(must_not.end, _Limit(is_capped=True, is_spent=True, kind=spends.value))
    place = reading.skip(spends.end, LINKS)
    most = AT_MOST.at(reading, place)
    is_cap = any(reading.is_one_of(one, CAPPING) for one in range(at, spends.end))
    return Found(most.end if most else place, _Limit(is_capped=most is not None or is_cap, is_spent=True, kind=spends.value))


def _amount_at(reading: Reading, at: int, limit: _Limit) -> Found[Cost | Trouble] | None:
    sign = reading.token(at)
    if sign is not None and (sign.kind == "sign" or sign.text in _CODES) and sign.text in CURRENCIES:
        number = number_at(reading, at + 1)
        return None if number is None else _money(number.value.value, CURRENCIES[sign.text], number.end)
    number = number_at(reading, at)
    currency = None if number is None else CURRENCY.at(reading, number.end)
    if number is not None and currency is not None:
        return _money(number.value.value, currency.value, currency.end)
    count = count_at(reading, at)
    if count is None and reading.is_one_of(at, {"a", "an", "one"}):
        count = Found(at + 1, 1.0)
    return None if count is None else _minutes(reading, count, limit)


def _money(value: float, currency: Currency, end: int) -> Found[Cost | Trouble]:
    return Found(end, Cost(money=value, currency=currency))


def _minutes(reading: Reading, number: Found[float], limit: _Limit) -> Found[Cost | Trouble] | None:
    """Read `30 minutes of training`, `2 gpu hours`; of what they are may be said before."""
    before = KINDS.at(reading, number.end)
    place = before.end if before else number.end
    unit = reading.token(place)
    if unit is None or unit.kind != "word" or unit.text not in MINUTES:
        return None
    kind = before or KINDS.at(reading, place + 1)
    end = max(place + 1, kind.end if kind else 0)
    said = kind.value if kind else limit.kind
    if said == "any":
        return Found(end, Trouble("cost_unit", "minutes of what? Say `of training` or `of GPU`"))
    minutes = number.value * MINUTES[unit.text]
    return Found(end, Cost(training_minutes=minutes) if said == "training" else Cost(gpu_minutes=minutes))
