"""The handlers `runSubtask` and `runBatch`, which call the user's function."""
