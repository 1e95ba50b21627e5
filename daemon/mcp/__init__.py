"""What assistants that speak the Model Context Protocol may look at and ask for. A client of the API, with its caller's token."""
