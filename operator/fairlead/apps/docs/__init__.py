"""The parts of the documentation that are made from the code, so that they cannot go stale.

`python -m fairlead.apps.docs docs` writes them anew; tests/docs fails while they differ.
"""
