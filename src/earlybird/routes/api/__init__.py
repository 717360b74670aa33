"""The HTTP doors of rounds, standing rounds and windows."""
