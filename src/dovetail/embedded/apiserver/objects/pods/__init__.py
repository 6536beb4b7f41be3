"""Pods: defaults, rules, what may change on update, status, resources."""
