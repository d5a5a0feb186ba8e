"""Forgetting a person: who they are (`traces`), where that is written, removing it, and a search.

`places`, `recordings` and `mentions` know what tells of whom, `erasing` removes it, and `searching`
looks for what is left without knowing any of that.
"""
