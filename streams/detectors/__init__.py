"""Family: what can be wrong with a model's inputs, scores and outcomes, one kind a file."""
