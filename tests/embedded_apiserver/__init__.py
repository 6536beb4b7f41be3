"""The embedded API server: its pure core in bulk, and the running server with real clients."""
