"""Family of gates, one file a claim."""
