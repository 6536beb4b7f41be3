"""Repositories, extensions and install plans: pure planners (`state, world -> action`) and thin reconcilers.

    repositories    a Helm index over HTTP -> Category, Extension, ExtensionVersion
    versions        an uploaded package -> its ExtensionVersion's fields and its Extension
    extensions      ExtensionVersions and the InstallPlan -> Extension.status
    plans           InstallPlan -> a Helm release that runs as the extension's own account
    agents          the same for each member cluster that a plan places its extension on
    subscriptions   the seed's Subscription -> an InstallPlan, and its status back

A decision depends on what exists (objects, releases, generations), never on comparing times, so every step can be
killed and resumed; `planner` is that decision as a pure function. `manager.serve` runs all of it. Helm is only met
through `dovetail.helm`, packages through `dovetail.packaging`, the cluster through `dovetail.kube`.
"""
