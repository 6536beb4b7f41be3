"""The bundle store: the front ends of enabled extensions, ready to be sent.

The model. A JSBundle object becomes a `Plan`: under which public paths it serves what, and where the bytes are
(`model`, `planning`). Its sources are read (`references` watches single ConfigMaps and Secrets, `fetching` asks
addresses and Services) and become `File`s or `Missing`s, which together are the bundle's `Outcome` (`resolving`).
Outcomes are kept in `store` under their public paths, and told back in the object's status (`status`). `keeper` is the
controller around these. Everything but `references`, `fetching` and `keeper` is pure.
"""
