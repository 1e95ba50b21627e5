"""What the command line does, one file a group. Each function takes plain values and returns what is to be shown."""
