"""Stage: evidence to a verdict."""
