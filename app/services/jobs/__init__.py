"""What runs by itself: the ledger of runs, the timetable, signs of life."""
