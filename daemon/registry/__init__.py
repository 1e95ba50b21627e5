"""Doors to those who want to know what was trained and what ought to be served: MLflow, and who serves a model elsewhere."""
