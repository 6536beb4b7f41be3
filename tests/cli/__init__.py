"""The commands and the supervisor."""
