"""Registered sources: facts from elsewhere, each on a topic of its own, that windows look up."""
