"""Features as people write them: the small language of formulas, and that of windows. No Python is ever evaluated."""
