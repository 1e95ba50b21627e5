"""Driftwake's monitors beside those of Evidently, NannyML, alibi-detect and River, on the same rows."""
