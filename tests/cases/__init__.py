"""Real rule sets: inputs, rules and expected results as published."""
