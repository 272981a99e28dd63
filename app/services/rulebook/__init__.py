"""Schemes: their versions, their trees, what a change would do."""
