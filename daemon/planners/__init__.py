"""Family of planners, one file a way of thinking."""
