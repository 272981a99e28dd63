"""Registering facts on a page, with what they will do."""
