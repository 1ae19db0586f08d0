"""Tables of rows, read and written block by block."""
