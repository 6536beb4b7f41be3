"""The platform as its users meet it: real processes, real clients, a real browser."""
