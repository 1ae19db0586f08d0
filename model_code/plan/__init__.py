"""Fitted scikit-learn pipelines as plans: plain files of arrays and a few operations, executed by the kernel or by numpy."""

from model_code.plan.compile import compile_plan
from model_code.plan.read import decode
from model_code.refusals import PlanCorrupt, PlanRefused

__all__ = ["PlanCorrupt", "PlanRefused", "compile_plan", "decode"]
