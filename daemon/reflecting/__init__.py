"""Stage: a closed incident to a lesson."""
