"""The shape of SageMaker's scikit-learn container: gunicorn and flask, JSON to a data frame to predict_proba."""

from flask import Flask, Response, jsonify, request
from model import score

app = Flask(__name__)


@app.get("/ping")
def ping():
    return Response(status=200)


@app.post("/invocations")
def invocations():
    return jsonify(predictions=score(request.get_json()["instances"]))
