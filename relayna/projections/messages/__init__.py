"""Message lineage: each handling of a message as a row, from whom it came and what came of it. Pure."""
