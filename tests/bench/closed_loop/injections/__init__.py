"""What a scenario does to its rows before features are computed: one file a kind, each a pure function of rows."""
