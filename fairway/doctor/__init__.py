"""`fairway doctor`: check whether this machine and the account are ready for a stage."""
