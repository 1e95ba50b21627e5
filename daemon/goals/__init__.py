"""What people ask for: a sentence or a YAML, compiled once into a typed objective that a person reads back and approves.

An approved goal is kept, shown and audited; nothing acts on it yet.
"""
