"""The language of formulas: what it accepts, what it refuses and where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.errors import ContractError
from streams.contracts.schema import Kind
from streams.features.expressions import MAX_DEPTH, parse, parse_filter
from streams.features.tree import Call, Member, Name, Number, TimePart, Tree, is_truth, names_in, reads_time

KINDS: dict[str, Kind] = {"a": "number", "b": "number", "colour": "category"}


def read(text: str) -> Tree:
    return parse(text, KINDS)


def test_precedence_is_what_people_expect():
    a, b = Name("a"), Name("b")
    assert read("a + b * 2") == Call("+", (a, Call("*", (b, Number(2.0)))))
    assert read("(a + b) * 2") == Call("*", (Call("+", (a, b)), Number(2.0)))
    assert read("a - b - 1") == Call("-", (Call("-", (a, b)), Number(1.0)))
    assert read("-a * b") == Call("*", (Call("neg", (a,)), b))
    assert read("a - -b") == Call("-", (a, Call("neg", (b,))))
    assert read("a + 1 < b * 2") == Call("<", (Call("+", (a, Number(1.0))), Call("*", (b, Number(2.0)))))
    assert read("hour(time) >= 18") == Call(">=", (TimePart("hour"), Number(18.0)))
    less, more = Call("<", (a, b)), Call(">", (a, Number(1.0)))
    assert read("a < b or a > 1 and a < b") == Call("or", (less, Call("and", (more, less))))
    assert read("(a < b or a > 1) and a < b") == Call("and", (Call("or", (less, more)), less))
    assert read("not a < b and a > 1") == Call("and", (Call("not", (less,)), more))
    assert read("not not a < b") == Call("not", (Call("not", (less,)),))


def test_categories_are_compared_with_text():
    red = Member("colour", ("red",))
    assert read('colour == "red"') == red
    assert read('colour != "red"') == Call("not", (red,))
    assert read('colour in ("red", "blue", "red")') == Member("colour", ("red", "blue"))
    assert read('colour not in ("red")') == Call("not", (red,))
    assert read('not colour == "red" and a > 1') == Call("and", (Call("not", (red,)), Call(">", (Name("a"), Number(1.0)))))
    assert read(r'colour == "a \"b\" \\"') == Member("colour", ('a "b" \\',))
    assert read("is_missing(colour)") == Call("is_missing", (Name("colour", "category"),))


def test_buckets_take_ascending_numbers():
    assert read("bucket(a, -1, 10)") == Call("bucket", (Name("a"), Number(-1.0), Number(10.0)))


def test_what_a_tree_reads():
    tree = parse("clip(a, 0, b) + weekday(time)", KINDS | {"c": "number"})
    assert names_in(tree) == {"a", "b"}
    assert names_in(read('colour == "red"')) == {"colour"}
    assert reads_time(tree)
    assert reads_time(read("not month(time) == 3"))
    assert not reads_time(read("a"))


def test_a_filter_is_true_or_false():
    assert is_truth(parse_filter('colour == "red"', KINDS))
    assert is_truth(parse_filter("not is_missing(a)", KINDS))
    for number in ("a", "a + 1", "if_missing(a, 0)", "-(a < b)"):
        with pytest.raises(ContractError, match="is a number"):
            parse_filter(number, KINDS)


@pytest.mark.parametrize(
    ("text", "position", "why"),
    [
        ("", 1, "the text ends"),
        ("a +", 4, "the text ends"),
        ("a b", 3, "expected an operator"),
        ("a $ b", 3, "means nothing"),
        ("a ** b", 4, "expected a value"),
        ("(a", 3, "the end"),
        ("a < b < 1", 7, "chain"),
        ("a + c", 5, "no column or window 'c'"),
        ("time", 1, "expected a value"),
        ("hour(a)", 6, "expected 'time'"),
        ("exp(a)", 1, "no function 'exp'"),
        ("min(a)", 1, "takes 2 values, got 1"),
        ("a + 1e39", 5, "too large"),
        ("a.b", 2, "expected an operator"),
        ("a * 2h", 5, "expected a value"),
        ("__import__('os')", 12, "means nothing"),
        ('"red" == colour', 1, "comes first"),
        ('a == "red"', 6, "comes first"),
        ("colour", 1, "is a category"),
        ("colour + 1", 1, "is a category"),
        ("1 + colour", 5, "is a category"),
        ("-colour", 2, "is a category"),
        ("abs(colour)", 5, "is a category"),
        ('colour < "red"', 1, "is a category"),
        ("colour == a", 11, "text in double quotes"),
        ("colour == 'red'", 11, "means nothing"),
        ('colour == "red', 11, "means nothing"),
        ('colour == ""', 11, "is_missing"),
        ("colour in ()", 12, "text in double quotes"),
        ('a in ("red")', 1, "only a category"),
        ('colour not == "red"', 12, "expected 'in'"),
        ("a and b > 1", 1, "true or false"),
        ("b > 1 or a", 10, "true or false"),
        ("not a", 5, "true or false"),
        ("bucket(a)", 1, "ascending numbers"),
        ("bucket(a, b)", 1, "ascending numbers"),
        ("bucket(a, 2, 1)", 1, "ascending numbers"),
        ("((((((((((((((((((((((a))))))))))))))))))))))", 21, "nested deeper"),
        ("-" * 30 + "a", 21, "nested deeper"),
        ("a" + "+a" * 30, 40, "nested deeper"),
    ],
)
def test_refusals_say_where(text: str, position: int, why: str):
    with pytest.raises(ContractError, match=f"position {position}: .*{why}"):
        read(text)


def test_a_long_text_is_refused_before_it_is_read():
    with pytest.raises(ContractError, match="at most 500"):
        read("a+" * 300 + "a")


@given(st.text(alphabet='ab01.e+-*/<>=!(), \thourtimeclipmx_\u0661"\\andi', max_size=60))
def test_any_text_is_a_tree_or_a_refusal(text: str):
    try:
        tree = read(text)
    except ContractError as error:
        refused = str(error)
    else:
        assert names_in(tree) <= set(KINDS)
        return
    assert "position" in refused


def test_depth_limit_is_reached_not_passed():
    assert read("(" * (MAX_DEPTH - 1) + "a" + ")" * (MAX_DEPTH - 1)) == Name("a")
