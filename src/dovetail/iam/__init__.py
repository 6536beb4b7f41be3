"""Users, tokens, OAuth, roles and the authorizer. The decision function is pure and is the only one there is."""
