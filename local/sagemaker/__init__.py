"""SageMaker on this machine: jobs and endpoints as real processes, knowing nothing of the gateway in front of them."""
