"""Replaying a log in virtual time, in lockstep with every stage."""
