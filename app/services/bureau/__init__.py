"""What holds in a bureau on a day: its calendar, the rules of its processes, which periods are closed."""
