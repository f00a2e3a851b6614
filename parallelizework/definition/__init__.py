"""The users' functions: their hints are read and checked once; then they are called."""
