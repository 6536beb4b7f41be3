"""What the API does to objects beyond storing them: metadata, defaults, and the rules of single kinds."""
