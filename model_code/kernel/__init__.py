"""The C++ kernel: a plan's answers straight from a request's bytes or from Arrow memory.

`BUILT`: whether it was compiled, by the wheel or by `python -m model_code.kernel.build`.
"""

try:
    from model_code.kernel import _kernel  # noqa: F401 - imported to see whether it is there
except ImportError:  # without a compiler numpy executes the plans
    BUILT = False
else:
    BUILT = True
