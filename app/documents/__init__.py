"""What is printed and what is read from files: plain data in, bytes out, and back."""
