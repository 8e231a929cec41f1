"""Hopsworks as a platform: its own client, guarded, behind the ports. Needs the extra ``hopsworks``.

faults.py    what the client raises, as our errors
client.py    the client made safe: time limits, retries of reads, certificates checked, nothing printed
project.py   HopsworksProject: one project on one cluster, connected on first use
files.py     small files in the project, with one operation that has exactly one winner
locks.py     locks between machines, as leases on such files
columns.py   a Table as a feature group, its bounds as an expectation suite, rows there and back
groups.py    the feature groups of tables, and what each was declared as
commits.py   the Delta log: versions, rows of a version, what a killed writer left unsaid
query.py     rows by the query service
store.py     FeatureStore on offline Delta feature groups
registry.py  ModelRegistry on the model registry
house.py     what a deployment makes and removes: groups, views, secrets
"""
