"""The built-in admission plugins, each named as in kube-apiserver; ``chain`` says in which order they run."""
