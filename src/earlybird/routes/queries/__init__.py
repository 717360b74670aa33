"""What cutting, sequencing, standing rounds and load sheets must know."""
