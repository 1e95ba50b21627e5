"""What the monitors' alarms mean: how often chance raises one, and how soon a change does."""
