"""The platform's resource kinds as plain data: wire models, schemas, CRDs, names, and both dialects in one model.

Imports no other room and does no I/O.
"""
