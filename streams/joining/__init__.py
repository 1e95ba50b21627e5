"""Stage: prediction and label to outcome."""
