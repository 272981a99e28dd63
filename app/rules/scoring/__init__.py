"""From facts to scores, ranks and grades: the contract of scores as code."""
