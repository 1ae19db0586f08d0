"""The rules of Fairway: plain data in, plain data out, standard library only."""
