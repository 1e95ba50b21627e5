"""The durable truth: incidents, plans, steps, lessons, budgets and the audit chain."""
