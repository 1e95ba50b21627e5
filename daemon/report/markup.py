"""Markup that is safe by construction: whatever isn't markup already is cleaned and escaped on its way in.

The pages are well-formed XML as well as HTML 5, which a test uses to prove that they are whole.
"""

from __future__ import annotations

import html
from collections.abc import Iterable

from daemon.report.wording import clean, finite

_EMPTY = frozenset({"meta", "br", "col"})


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


Content = str | int | None | Iterable["Content"]
Attribute = str | int | float | None


def escape(text: str) -> Markup:
    """Clean and escape a foreign text."""
    return Markup(html.escape(clean(text)))


def join(content: Content) -> Markup:
    """Turn content into markup: None is nothing, texts are escaped, the rest is joined."""
    if content is None:
        return Markup("")
    if isinstance(content, Markup):
        return content
    if isinstance(content, str | int):
        return escape(str(content))
    return Markup("".join(join(item) for item in content))


def element(name: str, /, *content: Content, **attributes: Attribute) -> Markup:
    """Build an element. `class_` becomes class, `stroke_width` stroke-width; attributes that are None are left out."""
    head = "".join(f' {_name(key)}="{_value(value)}"' for key, value in attributes.items() if value is not None)
    if name in _EMPTY:
        return Markup(f"<{name}{head} />")
    return Markup(f"<{name}{head}>{join(content)}</{name}>")


def raw(text: str) -> Markup:
    """Declare a constant of ours to be markup. Never for anything that came from outside."""
    return Markup(text)


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, int):
        return str(value)
    if not finite(value):
        raise ValueError(f"a coordinate must be finite, not {value}")
    return f"{value:.1f}".removesuffix(".0")
