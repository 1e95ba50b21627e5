"""Stage: predictions and outcomes to mergeable summaries."""
