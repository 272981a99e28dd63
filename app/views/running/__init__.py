"""What runs by itself, and where the portal speaks to."""
