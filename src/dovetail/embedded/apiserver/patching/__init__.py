"""The three patch formats that describe a change (server-side apply, the fourth, describes a wish: see ``apply``)."""
