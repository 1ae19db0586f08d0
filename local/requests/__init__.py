"""Read and check requests of every service by botocore's own model of it. Pure: bytes in, problems out."""
