"""Our CDK vocabulary: a function, a state machine, a SageMaker job, a schedule, the image."""
