"""What a person meets: matters, reminders, readiness, figures of a day, the arrangement."""
