"""Objects at rest and their history: SQLite, one writer, one log, watchers with a cursor each."""
