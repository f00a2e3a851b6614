"""AWS Lambda: a stand-in that runs real runtimes, and tests on it."""
