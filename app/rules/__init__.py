"""The regulation as code: pure functions of plain values, standard library only."""
