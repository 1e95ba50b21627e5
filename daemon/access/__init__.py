"""Who somebody is and what he may do: roles, tokens, and where a running daemon is found."""
