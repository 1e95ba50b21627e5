"""Stage: events to incidents."""
