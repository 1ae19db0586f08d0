"""`fairway doctor`: whether this machine and the account can take a stage, before it is deployed."""
