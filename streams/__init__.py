"""The data plane: everything that a record passes on its way from request to event."""
