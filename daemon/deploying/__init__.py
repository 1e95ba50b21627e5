"""Stage: a verdict to a deployment that every worker has acknowledged."""
