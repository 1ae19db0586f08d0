"""The C++ kernel: a plan's answers straight from a request's bytes or from Arrow memory. None where it is not built."""

KernelEngine = None
