"""The sample bureau."""
