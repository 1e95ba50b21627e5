"""Stateful features: online state and offline SQL with one meaning."""
