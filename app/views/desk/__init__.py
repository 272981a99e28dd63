"""What a person meets: workbench, readiness, reminders, messages."""
