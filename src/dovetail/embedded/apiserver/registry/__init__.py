"""Which kinds are served: the built-in table and the custom resources of the moment."""
