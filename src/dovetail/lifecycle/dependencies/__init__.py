"""What extensions need of each other: which versions go together, and what stands in the way. Pure.

    ranges       whether a version is in a range
    standing     what is installed and what is planned, as values, from InstallPlans and ExtensionVersions
    gate         whether an install may begin, and whether an uninstall may (asked by the plan's planner)
    catalogue    every version there is, with what it needs
    solver       the best set of versions that goes together
    conflict     why there is none: the smallest set of demands that contradict each other, and what would solve it
    words        all of that as sentences, in English and Chinese

A dependency is one of `externalDependencies` (reference/ksbuilder.md 2.1): a required one must be installed in its
range, an optional one is a wish. One whose `type` is not `extension` is about something that the platform does not
install; it is told and not enforced.
"""
