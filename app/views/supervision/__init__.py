"""The pages of supervised tasks."""
