"""Stage: predictions, labels and outcomes to the lake."""
