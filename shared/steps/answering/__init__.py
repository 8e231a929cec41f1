"""A language model that answers in this process: what stands behind a ``Chat``, and nothing of how it was trained.

job.py        one question: fitted into the context, drawn id by id, handed to its reader piece by piece
draws.py      which id comes next: temperature, min-p and seed of its own; ids to whole characters
grammar.py    JSON that fits a schema and nothing else
schemas.py    which schemas from outside are taken: an allow-list, as some take minutes to read
line.py       who waits, in the order they came
engine.py     answers one by one, a few at a time
batch.py      many answers in one forward pass
"""
