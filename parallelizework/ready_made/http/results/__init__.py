"""What a run answers with: its lines, in the response or in a file of results."""
