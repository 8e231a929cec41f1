"""Steps that several systems take: pure functions over rows, tables and ports; they never know a system."""
