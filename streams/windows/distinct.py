"""How many different values a range has."""

from __future__ import annotations

import numpy as np

from streams.windows.facts import Floats, Integers

_MOST_AT_ONCE = 1 << 22


def previous(keys: Integers, values: Floats) -> Integers:
    """Return, for facts sorted by key, one more than the index of the fact before with the same key and value; 0 for none.

    A missing value (NaN) has no fact before it: leave those out first.
    """
    order = np.lexsort((np.arange(len(keys)), values, keys))
    same = (keys[order][1:] == keys[order][:-1]) & (values[order][1:] == values[order][:-1])
    before = np.zeros(len(keys), dtype=np.int64)
    before[order[1:][same]] = order[:-1][same] + 1
    return before


def count_distinct(before: Integers, start: Integers, stop: Integers) -> Integers:
    """Count the different values of each [start, stop): the facts whose predecessor of the same value lies before `start`.

    `before` as `previous` gives it. O((facts + ranges) log facts): the levels of a wavelet matrix, of which only one is held at
    a time (F. Claude, G. Navarro, A. Ordóñez, The wavelet matrix, 2015).
    """
    limits = start + 1
    counts = np.zeros(len(start), dtype=np.int64)
    for bit in reversed(range(int(max(before.max(initial=0), limits.max(initial=0))).bit_length())):
        is_set = (before >> bit) & 1 == 1
        unset_before = np.zeros(len(before) + 1, dtype=np.int64)
        np.cumsum(~is_set, out=unset_before[1:])
        unset_start, unset_stop = unset_before[start], unset_before[stop]
        # Where the limit has the bit, all without it are less; those with it are looked at on.
        wants_set = (limits >> bit) & 1 == 1
        counts += np.where(wants_set, unset_stop - unset_start, 0)
        start = np.where(wants_set, unset_before[-1] + start - unset_start, unset_start)
        stop = np.where(wants_set, unset_before[-1] + stop - unset_stop, unset_stop)
        before = np.concatenate([before[~is_set], before[is_set]])
    return counts


def gathered(values: Floats, start: Integers, stop: Integers) -> tuple[Integers, Floats]:
    """Return every present value of each [start, stop) once, with the number of its range; both of shape (found,).

    It looks at every fact: of long ranges that is slow.
    """
    ranges: list[Integers] = []
    found: list[Floats] = []
    ends = np.cumsum(stop - start)
    cut = 0
    while cut < len(start):
        done = int(ends[cut - 1]) if cut else 0
        upto = max(int(np.searchsorted(ends, done + _MOST_AT_ONCE, side="right")), cut + 1)
        lengths = (stop - start)[cut:upto]
        which = np.repeat(np.arange(cut, upto), lengths)
        offsets = np.arange(len(which)) - np.repeat(ends[cut:upto] - lengths - done, lengths)
        here = values[start[which] + offsets]
        kept = ~np.isnan(here)
        once = unique_pairs(which[kept], here[kept])
        ranges.append(once[0])
        found.append(once[1])
        cut = upto
    if not ranges:
        return np.zeros(0, np.int64), np.zeros(0)
    return np.concatenate(ranges), np.concatenate(found)


def unique_pairs(ranges: Integers, values: Floats) -> tuple[Integers, Floats]:
    """Return each (range, value) once."""
    order = np.lexsort((values, ranges))
    ranges, values = ranges[order], values[order]
    is_new = np.ones(len(ranges), dtype=np.bool_)
    is_new[1:] = (ranges[1:] != ranges[:-1]) | (values[1:] != values[:-1])
    return ranges[is_new], values[is_new]
