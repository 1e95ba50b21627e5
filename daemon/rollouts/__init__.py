"""Family of rollouts, one file a strategy."""
