"""Stage: summaries to events."""
