"""Check Amazon States Language as Step Functions does when a state machine is created.

Pure: a definition in, problems out.
"""
