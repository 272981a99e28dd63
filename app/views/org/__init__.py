"""Units and people, their accounts, and who acts for whom."""
