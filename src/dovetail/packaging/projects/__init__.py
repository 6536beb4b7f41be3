"""New projects: what an author answers becomes a directory of files.

`answers` holds the questions, their rules and their defaults as one value (`Answers`); `templates` reads the layers
under files/ and fills them in; `project` puts both together: `create(answers)` gives the files by path, and whoever
called writes them. A project of this room passes `ksbuilder check` as it is made, and needs no private registry.
"""
