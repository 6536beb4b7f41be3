"""Traffic rules at work: rate limits, redirects, circuit breakers, retries, load balancing, wrapped backends.

A route without rules has `traffic` None and a single-address backend without a breaker has a plain `Pool`: requests of
those never come here. For the others, what decides is pure (`buckets`, `circuit`, `balance`, `retrying`, `links`,
`client_address`), and thin shells hold what has been counted: `limiter` (buckets that all workers of a gateway share),
`guard` (one backend's gauges and circuits), `lanes` (its connections by address), `attempts` (the tries of a request).
"""
