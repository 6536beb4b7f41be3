"""Identity providers: other systems that say who somebody is. Who that makes him here is no business of theirs.

`settings` reads the Secrets, `registry` keeps the providers of now, `provider` says what a provider is. The kinds are
modules of their own (`ldap`, `oidc`, `oauth2`, `cas`), imported when the first provider of a kind is there: a platform
without providers carries none of this.
"""
