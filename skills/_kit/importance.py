"""How much each feature matters to a forest: the monitors let go of small changes that the model doesn't look at."""

from __future__ import annotations

from collections import defaultdict

import xgboost

from skills._kit.scoring import Inputs
from streams.features.tree import names_in
from streams.inference.graph import expression_trees, feature_names


def importance_of(booster: xgboost.Booster, inputs: Inputs) -> dict[str, float]:
    """Return each column's and window's share of the loss that the forest's splits took away; they add up to 1.

    What splits on an expression took away is its columns', in equal parts. Empty when the forest has no split.
    """
    gains = booster.get_score(importance_type="total_gain")
    # A booster that was given no names calls its columns f0, f1 and so on.
    columns = {f"f{number}": name for number, name in enumerate(feature_names(*inputs))}
    read = {name: sorted(names_in(tree)) for name, tree in expression_trees(*inputs).items()}
    shares: dict[str, float] = defaultdict(float)
    total = sum(float(gain) for gain in gains.values())
    for column, gain in gains.items():
        name = columns[column]
        behind = read.get(name, [name])
        for one in behind:
            shares[one] += float(gain) / total / len(behind)
    return dict(shares)
