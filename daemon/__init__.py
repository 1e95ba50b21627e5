"""The control plane: what happens from an event to a deployment and the lesson from it."""
