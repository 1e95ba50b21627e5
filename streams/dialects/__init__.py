"""Family of wire formats, one file a kind: how requests look on the wire."""
