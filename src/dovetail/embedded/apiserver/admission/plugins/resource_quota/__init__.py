"""ResourceQuota: what a namespace may have altogether.

``usage`` says what one object takes, ``scopes`` which objects a quota is about, ``ledger`` keeps ``status.used``, and
``plugin`` asks the ledger at every write.
"""

from .plugin import ResourceQuota

__all__ = ["ResourceQuota"]
