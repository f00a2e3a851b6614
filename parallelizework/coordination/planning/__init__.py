"""Planning: which items one call has, and which slots it leases. Pure."""
