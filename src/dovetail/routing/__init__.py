"""Resources -> route table: matching, precedence, conflicts with a witness, rewrite programs.

Pure and frozen: values in, values out. What dials, probes or serves lives in `dovetail.gateway`.
"""
