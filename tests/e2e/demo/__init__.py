"""`make demo`: the main job, scripted and checked.

Non-interactive, on a temporary data directory and free ports. Every step observes what it claims and is printed with
its duration; the exit code is 0 only if all of them hold; everything is stopped and removed at the end. The last line
is one JSON object: `ok`, `steps`, `start_s`, `install_s`, `rss_mib` and what else was measured.
"""
