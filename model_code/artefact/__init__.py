"""The artefact: a model, its contract, golden rows and a manifest that hashes each file."""
