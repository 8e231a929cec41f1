"""The embedded platform: everything in one folder, nothing to install or to run.

manifest.py   SQLite: which files are live since which version; one transaction is one write
parquet.py    rows to files and back; the merge of an upsert
store.py      FeatureStore on the two
registry.py   ModelRegistry in numbered folders
"""
