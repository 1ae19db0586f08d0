"""FastAPI on uvicorn, as its documentation shows it."""

from typing import Any

from fastapi import FastAPI, Response
from model import score
from pydantic import BaseModel

app = FastAPI()


class Rows(BaseModel):
    instances: list[dict[str, Any]]


@app.get("/ping")
def ping():
    return Response(status_code=200)


@app.post("/invocations")
def invocations(rows: Rows):
    return {"predictions": score(rows.instances)}
