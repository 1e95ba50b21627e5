"""One API for all that a daemon can be asked and told: HTTP on loopback, JSON, tokens. The command line is a client of it."""
