"""The two commands and the supervisor: settings to running parts; no other logic."""
