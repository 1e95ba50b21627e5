"""What a scenario does to the system itself while its stream is played: one file a kind."""
