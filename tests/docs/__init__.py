"""The documentation, executed: each page is a session that must work as shown."""
