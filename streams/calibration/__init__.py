"""From detectors' readings to improbabilities: what is usual of a model's signals, learnt from its past, and what isn't."""
