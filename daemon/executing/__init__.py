"""Stage: a plan to results, step by step, in child processes."""
