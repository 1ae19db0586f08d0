"""Models made elsewhere -> the project's artefact. Runs on the machine of `fairway import`, never in the image."""
