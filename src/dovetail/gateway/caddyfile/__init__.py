"""Reads a Caddyfile and says it again as objects of the platform: the way from the 2.x gateway to this one. Pure.

The text becomes directives with their line numbers (`grammar`). A site's directives become routes (`sites`, `proxies`,
`matchers`, `header_edits`) and rules of access (`access`), and these become ReverseProxies, GlobalRoles and bindings
(`objects`). What cannot be said in objects is never dropped in silence: each such line is a `Note`.
"""

from dovetail.gateway.caddyfile.errors import CaddyfileError
from dovetail.gateway.caddyfile.importing import Imported, import_caddyfile
from dovetail.gateway.caddyfile.notes import Note

__all__ = ["CaddyfileError", "Imported", "Note", "import_caddyfile"]
