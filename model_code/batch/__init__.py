"""The parts of `score`: a block of rows, a segment of a shard."""
