"""What is said to people: messages of the portal, the outbox and its channels."""
