"""The ledger: facts with their months and parts, and their reversal."""
