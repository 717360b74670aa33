"""The shapes of rounds, load sheets, standing rounds and windows at the door."""
