"""Supervised tasks: handed over, done, rated, late."""
