"""Schemes and clauses, what is measured, workbooks, registration of facts."""
