"""What all processes share; no file of it knows one."""
