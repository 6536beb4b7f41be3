"""What the gateway's benchmark is made of: the scene (backend, peers, workers) and the measurements."""
