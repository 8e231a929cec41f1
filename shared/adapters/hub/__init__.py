"""The platform on a Hugging Face account: tables in a data set repository, models in model repositories.

account.py    the real client with time-outs, bounded retries and our errors; no cached login, no telemetry
store.py      FeatureStore: the embedded store's layout, one commit a write, its parent checked
snapshot.py   the manifest as text, and the folder of a data set's files that a process keeps
leases.py     locks between machines
registry.py   ModelRegistry: a repository a model, a folder a version
cards.py      the README.md of data sets and models
"""
