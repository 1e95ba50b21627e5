"""Every record on the wire, the bundle manifest, the feature specs and the topic table. Pure data."""
