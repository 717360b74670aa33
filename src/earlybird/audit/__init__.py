"""What happened, to what, by whom; the only mover of states; findings."""
