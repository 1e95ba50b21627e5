"""Parts of the Claude planner, one idea a file."""
