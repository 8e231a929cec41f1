"""The adapters behind the ports, one module a vendor or world. Only ``shared.connect`` imports these."""
