"""FAB's edge: who is signed in, what the request may see, and the headers every answer carries."""
