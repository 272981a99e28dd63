"""Use cases: one verb, one function; the only writers. They never commit."""
