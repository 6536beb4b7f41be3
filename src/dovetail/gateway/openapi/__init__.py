"""OpenAPI of the platform and of its extensions, merged.

Everything is one kind of value: an OpenAPI 3.0 document of one group version (`accepting` makes it of what a backend
serves, `swagger` of its OpenAPI 2.0), kept in a `catalogue` with its hash. `merging` puts all into one OpenAPI 2.0
document. `fetching` asks a backend, `aggregator` keeps the catalogue in step with the APIServices, `endpoints` answers.

The cluster's own documents stay where kubectl looks for them (/openapi/v2, /openapi/v3); the platform's are below
/openapi/v3/kapis and /openapi/v2/kapis, which no Kubernetes API serves.
"""
