"""A project's stages on AWS: what is asked before, what is run for it, and how a stage goes again."""
