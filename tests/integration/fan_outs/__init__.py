"""The fan-outs that the integration tests run: one topic a module."""
