"""The other tools. This code runs in their own environment, where nothing of driftwake's product is installed."""
