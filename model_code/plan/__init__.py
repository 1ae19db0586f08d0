"""Fitted scikit-learn pipelines as plans: plain files of arrays and a few operations, executed by the kernel or by
numpy.

What is promised of a plan's answers, whichever executes it and however many rows are scored at once:
- kernel and numpy agree to the last bit, and a row's answer never depends on the rows beside it;
- trees, forests, boosting, calibration and priors equal scikit-learn to the last bit (with eight classes or more
  boosted by histograms, its answer to a batch: for one row alone it adds the exponentials in another order);
- linear models differ from scikit-learn in the last bits. It leaves their sum to BLAS, which adds in another order
  for each
  processor and each number of rows, so that scikit-learn does not equal itself there; a plan always adds in the order
  of the features.
  On a sparse matrix (mostly one-hot columns) scikit-learn does the same, and the answers are equal.
A plan is stricter in one place: an infinite number that an encoder or imputer takes is refused, where scikit-learn lets
some pass.
"""

from model_code.plan.compile import compile_plan
from model_code.plan.read import decode
from model_code.refusals import PlanCorrupt, PlanRefused

__all__ = ["PlanCorrupt", "PlanRefused", "compile_plan", "decode"]
