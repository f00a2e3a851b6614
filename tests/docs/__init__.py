"""The documentation, executed: each page is a session that must go as shown."""
