"""Control: snapshots, their publisher, availability."""
