"""Stages of a project on AWS: checks, programs, deployment and removal."""
