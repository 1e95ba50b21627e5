"""What is measured of a replay: one file per group of metrics, each figure a function of (case, policy, part).

A figure is None where it isn't computable, and `NOT_FOR_IT` where it doesn't apply to the policy.
"""
