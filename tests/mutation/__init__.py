"""Mutation testing of what is decided: which changes to the rules does no test notice?

mutmut changes the `_rules` of the rooms in one place at a time and runs the tests that get
there. A mutant that lives on is killed by another test, or `survivors.toml` says why no test
can: ``python -m tests.mutation`` compares the two.
"""
