"""What runs: one Modal App a file, one decorated function a stage, in the order rows move."""
