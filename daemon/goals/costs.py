"""What reaching a goal may cost at most: `spend at most 200 euros`, `max 2 GPU hours`, `for less than $100 a month`.

Minutes say of what: training, or a GPU. Money has a currency. Where no word says that it is spent, it is a goal's cost only if it
stands apart from the metric, and the metric isn't an error of a regression, which may be counted in money.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

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
    EACH_TIME,
    KINDS,
    LINKS,
    MUST_NOT,
    NOT_MORE,
    OVERS,
    PER,
    PROVIDED,
    RATES,
    RUNS,
    SPENDS,
    SPENT,
    TAILS,
    Kind,
)  # fmt: skip
from daemon.goals.said.costs import BEFORE as PER_BEFORE
from daemon.goals.tokens import Token
from daemon.goals.words import ARTICLES, CURRENCIES, GROUPS, MINUTES, NOUNS

_LEADING: Final = ARTICLES | {"with", "within", "on", "it", "this", "that", "we", "you"}
_ENDS: Final = frozenset({".", ";", "!"})
_MARKS: Final = frozenset({",", ":", "and", "but"})
_MAY: Final = frozenset({",", "we", "it", "may", "can", "should", "must", "shall"})
_MOST_TAILS: Final = 6
_COMMAS: Final = re.compile(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+")
_CODES: Final = frozenset({"eur", "usd", "gbp", "chf"})


class _Limit(NamedTuple):
    """Words before an amount: whether they cap it, whether they say that it is spent, and of what minutes are."""

    is_capped: bool
    is_spent: bool
    kind: Kind = "any"


def read_cost(reading: Reading, at: int) -> Found[Part] | None:
    """Read what it may cost."""
    found = _with_more(reading, _cost_at(reading, at))
    if found is None or not isinstance(found.value, CostPart) or found.value.cost.per is not None:
        return found
    rate = next((token.raw for token in reading.tokens[max(at - 1, 0) : found.end] if token.text in RATES), None)
    return (
        found if rate is None else Found(found.end, Trouble("cost_unit", f"{rate}: how often is it spent? Say `per retraining`"))
    )


def _with_more(reading: Reading, found: Found[Part] | None) -> Found[Part] | None:
    """Read `and 2 GPU hours` behind a cost: what caps it caps them too, where none is for each of something."""
    if found is None or not isinstance(found.value, CostPart) or not reading.is_one_of(found.end, {"and"}):
        return found
    amount = _amount_at(reading, found.end + 1, _Limit(is_capped=True, is_spent=True))
    if amount is None or isinstance(amount.value, Trouble):
        return found
    first, second = (_said(cost) for cost in (found.value.cost, amount.value))
    if first.keys() & second.keys() or "per" in first or PER.at(reading, amount.end):
        return Found(amount.end, Trouble("cost_unit", "how often is each of them spent? Say each by itself"))
    return Found(amount.end, found.value._replace(cost=Cost(**first, **second)))


def _said(cost: Cost) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(cost).items() if value is not None}


def _cost_at(reading: Reading, at: int) -> Found[Part] | None:
    provided = PROVIDED.at(reading, at)
    begin = provided.end if provided else at
    place = reading.skip(begin, _LEADING)
    place += reading.is_one_of(place, {"at"}) and AT_MOST.at(reading, place + 1) is not None  # at no more than
    return _capped(reading, at, place) or _budgeted(reading, place) or _capped(reading, at, begin)


def _capped(reading: Reading, at: int, place: int) -> Found[Part] | None:
    """Read a cap and its amount, in either order."""
    often = _often_at(reading, at, place)
    per = None if often is None else often.value
    limit = _limit_at(reading, place) if often is None else _limit_behind(reading, often)
    amount = _amount_at(reading, limit.end, limit.value)
    if amount is None:
        return None
    if per is None and any(RUNS.at(reading, one) is not None for one in range(max(at - 1, 0), limit.end)):
        per = "retraining"
    each = PER.at(reading, amount.end)
    behind = BEHIND.at(reading, amount.end) if not limit.value.is_capped else None
    if each is not None and behind is None and not limit.value.is_capped and (behind := BEHIND.at(reading, each.end)):
        per = each.value  # 90 GPU minutes per retraining at most
    end = behind.end if behind else amount.end
    spent = SPENT.at(reading, end)
    is_said = limit.value.is_spent or spent is not None or _stands_apart(reading, at)
    is_money = isinstance(amount.value, Cost) and amount.value.money is not None
    is_given = _is_given(reading, at, amount.value, has_rate=each is not None)
    if not (limit.value.is_capped or behind or is_given) or (is_money and not is_said):
        return None
    if isinstance(amount.value, Trouble):
        return Found(end, amount.value) if limit.value.is_spent else None
    return _with_per(
        reading,
        Found(spent.end if spent else end, amount.value),
        per,
        is_said=limit.value.is_spent or spent is not None or not is_money,
    )


def _is_given(reading: Reading, at: int, amount: Cost | Trouble, *, has_rate: bool) -> bool:
    """Whether an amount is what there is, though nothing caps it: `with 2 GPU hours`, `on 200 euros a month`."""
    if isinstance(amount, Trouble) or not reading.is_one_of(at, {"with", "on", "using"}):
        return False
    return amount.gpu_minutes is not None or (has_rate and amount.money is not None)


def _limit_behind(reading: Reading, often: Found[Every]) -> Found[_Limit]:
    """Read the words before an amount behind how often it is spent; what a retraining takes is training."""
    place = reading.skip(often.end, _MAY)
    limit = _limit_at(reading, place)
    if not limit.value.is_spent:
        limit = _limit_at(reading, reading.skip(place, LINKS))
    is_training = often.value == "retraining" and limit.value.kind == "any"
    return Found(limit.end, limit.value._replace(kind="training")) if is_training else limit


def _often_at(reading: Reading, at: int, place: int) -> Found[Every] | None:
    """Read `each month`, `monthly`, where it can be of nothing that stands before it."""
    often = PER_BEFORE.at(reading, place)
    if often is None or often.value == "retraining" or at == 0 or reading.is_one_of(at - 1, _ENDS):
        return often
    is_apart = often.end == place + 1 or reading.is_one_of(at - 1, _MARKS)
    return often if is_apart and not reading.is_one_of(often.end, {","}) else None


def _stands_apart(reading: Reading, at: int) -> bool:
    """Whether an amount of money can only be a goal's cost, though no word says that it is spent."""
    own = reading.vocabulary.own_units
    is_of_error = reading.vocabulary.schema.task == "regression" and (not own or bool(own & CURRENCIES.keys()))
    return not is_of_error and not reading.is_one_of(at - 1, NOUNS | GROUPS)


def _budgeted(reading: Reading, at: int) -> Found[Part] | None:
    """Read `a 200 euro budget`."""
    amount = _amount_at(reading, at, _Limit(is_capped=True, is_spent=True))
    budget = BUDGETS.at(reading, amount.end) if amount else None
    if amount is None or budget is None or isinstance(amount.value, Trouble):
        return None
    return _with_per(reading, Found(budget.end, amount.value), None, is_said=True)


def _with_per(reading: Reading, cost: Found[Cost], per: Every | None, *, is_said: bool) -> Found[Part]:
    each, is_in_all = PER.at(reading, cost.end), False
    if each is None and cost.value.training_minutes is not None:
        each = EACH_TIME.at(reading, cost.end)
    if each is not None and per not in {None, each.value}:
        return Found(each.end, Trouble("cost_unit", f"for each {per} or for each {each.value}?"))
    end = begin = each.end if each else cost.end
    while (tail := TAILS.at(reading, end)) is not None and end < begin + _MOST_TAILS:
        is_in_all, end = is_in_all or tail.value == "in all", tail.end
    if reading.is_one_of(end, {"on"}) and (doing := reading.token(end + 1)) is not None and doing.text.endswith("ing"):
        end += 1
    return Found(end, CostPart(msgspec.structs.replace(cost.value, per=each.value if each else per), is_said, is_in_all))


def _limit_at(reading: Reading, at: int) -> Found[_Limit]:
    if not_more := NOT_MORE.at(reading, at):
        most = AT_MOST.at(reading, not_more.end)
        return Found(most.end if most else not_more.end, _Limit(is_capped=True, is_spent=True, kind=not_more.value))
    if overs := OVERS.at(reading, at):
        return Found(overs.end, _Limit(is_capped=True, is_spent=False))
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
        number = _sum_at(reading, at + 1)
        return None if number is None else _money(number.value.value, CURRENCIES[sign.text], number.end)
    number = _sum_at(reading, at)
    currency = None if number is None else CURRENCY.at(reading, number.end)
    if number is not None and currency is not None:
        return _money(number.value.value, currency.value, currency.end)
    count = count_at(reading, at)
    if count is None and reading.is_one_of(at, {"a", "an", "one"}):
        count = Found(at + 1, 1.0)
    return None if count is None else _minutes(reading, count, limit)


def _sum_at(reading: Reading, at: int) -> Found[Token] | None:
    """Read a number of money: of `1,500` the comma parts thousands, since nobody counts thousandths of a euro."""
    token = reading.token(at)
    if token is None or token.kind != "number" or not _COMMAS.fullmatch(token.raw):
        return number_at(reading, at)
    return Found(at + 1, token._replace(value=float(token.raw.replace(",", "")), fault=""))


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
