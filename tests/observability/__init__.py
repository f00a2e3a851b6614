"""What a worker reports about itself, read by the programs that users read it with."""
