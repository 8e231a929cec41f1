"""One folder a system; each has the same modules, in the order rows move.

tables.py      what every arrow carries
sources.py     where rows come from
features.py    what the model sees
training.py    how a model is made, and whether it is good enough
inference.py   what it says about new rows
monitoring.py  whether it was right
"""
