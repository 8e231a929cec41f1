"""`almanac deploy`: from what the repository says to what runs on somebody's accounts, and back.

commands ──► deed ──► target: to_modal (modal_account, fingerprint) · to_hopsworks · to_spaces (bundle, space_files)
└── cost: what a month will cost
"""
