"""Tests by behaviour; a folder a room, and `e2e` for all of them together."""
