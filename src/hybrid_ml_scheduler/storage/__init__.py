"""Keeping every result: the journal on disk, the database behind it, and what is shared between processes.

Results go to the journal first (`journal`), and from there in the background into the database (`drain`), exactly once. `service` is the door for
everything above; `repositories` is the only place with SQL.
"""
