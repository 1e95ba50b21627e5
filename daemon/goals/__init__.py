"""What people ask for: a sentence or a YAML, compiled once into a typed objective that a person reads back and approves.

What is to be held or improved is then asked of every challenger; what is to be predicted is kept, shown and audited.
"""
