"""Why something of the platform does not work: one look, a pure diagnosis, words, and fixes that cannot do harm.

    gathering    one bounded, read-only look at the cluster as its caller -> a `Picture`
    picture      what was seen, and what could not be seen
    causes       one module a family: from a picture to findings, each with its evidence. Pure
    refusals     from the words of a refusal (Helm's, an event's, a condition's) to what refused. Pure
    links        what breaks when something else is broken. Pure
    ranking      findings -> root causes, each with its symptoms under it. Pure
    mending      carries out the one kind of fix that is safe: ask the controllers to try again
    report       a diagnosis as text and as JSON, in English and Chinese

A finding needs harm that was seen: a full quota that refused nothing is none. What could not be read is told, and
a platform of which a part could not be read is never called healthy. Nothing here writes but `mending`, and that
writes one annotation.
"""
