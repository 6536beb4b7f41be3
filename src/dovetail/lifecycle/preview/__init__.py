"""What an install or an upgrade would change, before anything changes.

    crd_safety      a definition against the one that is served: is what people stored still good afterwards?

Pure values in, pure values out; what has to be read from a cluster is read by `gathering` and only there.
"""
