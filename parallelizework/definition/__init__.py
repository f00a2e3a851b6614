"""What users wrote: read and checked once, and called."""
