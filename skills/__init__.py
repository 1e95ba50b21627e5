"""The hands of the control plane: one file a skill, run as a child process."""
