"""Stage: request to prediction."""
