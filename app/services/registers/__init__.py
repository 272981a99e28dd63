"""The registers of a bureau, kept row by row."""
