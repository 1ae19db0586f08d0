"""Restore a table to its present state: another point in time is refused, as nothing here stores it."""

import time

from ministack.core.responses import error_response_json
from ministack.services import dynamodb

HOOKS = ("ministack.services.dynamodb:_restore_table_to_point_in_time",)
NOW_S = 60  # age that still counts as now, for clocks and the network


def register() -> None:
    stock = dynamodb._restore_table_to_point_in_time

    def restore(request: dict):
        moment = request.get("RestoreDateTime")
        if moment is not None and abs(time.time() - float(moment)) > NOW_S:
            message = "the local AWS restores a table as it is now; another moment is not simulated"
            return error_response_json("InvalidRestoreTimeException", message, 400)
        return stock(request)

    dynamodb._restore_table_to_point_in_time = restore
