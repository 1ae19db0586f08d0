"""The functions of the release flow."""
