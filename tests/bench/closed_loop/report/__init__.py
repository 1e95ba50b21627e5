"""What a run of the closed-loop bench shows: a terminal table, one page without anything from elsewhere, and JSON."""
