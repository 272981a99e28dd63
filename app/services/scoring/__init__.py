"""From entries to scores: what is read, computed, stored, explained and compared."""
