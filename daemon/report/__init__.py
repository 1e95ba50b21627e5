"""What a demo or a replay shows at its end, and what a terminal shows while it runs."""
