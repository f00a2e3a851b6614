"""Workers: the ASGI application, and the servers for it."""
