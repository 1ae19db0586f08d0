"""SageMaker on this machine: jobs and endpoints as real processes, independent of the gateway in front of them."""
