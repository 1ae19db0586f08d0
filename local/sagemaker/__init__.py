"""SageMaker on this machine: jobs and endpoints as real processes, with no knowledge of the gateway in front of them."""
