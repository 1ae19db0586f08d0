"""The limit of the server itself: Fairway's serve with a model that costs nothing, answering every request alike."""

import os

from model_code.answers.reply import Reply
from model_code.http.listening import listening_sockets
from model_code.http.workers import run_workers
from model_code.serve import runner

ECHO = Reply(b'{"predictions":[0.2063673372230694]}', rows=1)


class Echo:
    def answer(self, request):
        return ECHO


if __name__ == "__main__":
    workers = int(os.environ["SAGEMAKER_MODEL_SERVER_WORKERS"])
    run_workers(listening_sockets("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"]), workers), runner(Echo()))
