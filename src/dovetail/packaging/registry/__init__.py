"""Packages in OCI registries: what an address means, what a manifest says, what a challenge asks for.

A package lies in a registry as Helm puts it there: a manifest whose config is the chart's metadata and whose layers are
the .tgz and its provenance. These are values; only `client` talks to a registry.
"""
