"""Stage: a diagnosed incident to a guarded plan."""
