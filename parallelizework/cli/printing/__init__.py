"""What the commands print: texts, tables and a progress bar."""
