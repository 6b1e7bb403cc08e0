"""Everything that is told from the declarations instead of written again."""
