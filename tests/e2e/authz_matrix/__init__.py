"""The authorization matrix: every endpoint of the OpenAPI documents as every kind of caller, against a table written by
hand from the reference's text. `python -m tests.e2e.authz_matrix` (make authz-matrix)."""
