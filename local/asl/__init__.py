"""Amazon States Language, checked as Step Functions checks it when a state machine is made. Pure: a definition in,
problems out.
"""
