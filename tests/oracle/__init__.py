"""An independent reading of docs/scoring.md, slow and plain, to be compared with the product."""
