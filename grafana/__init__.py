"""The dashboard as code. Not part of the distribution: run `python -m grafana.dashboard` after changing it."""
