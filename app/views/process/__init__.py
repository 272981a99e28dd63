"""What the pages of all processes share."""
