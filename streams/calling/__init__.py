"""Stage: callers who wait for their answers, by the Open Inference Protocol over HTTP."""
