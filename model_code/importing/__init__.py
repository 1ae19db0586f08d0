"""Models made elsewhere -> the project's artefact. Runs on the machine of whoever imports, never in the image."""
