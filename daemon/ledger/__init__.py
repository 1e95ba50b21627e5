"""The durable truth: incidents, plans, steps, lessons, budgets, goals and the audit chain."""
