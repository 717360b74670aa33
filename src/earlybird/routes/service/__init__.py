"""Every change of rounds above the stops themselves: cutting, sequencing, remembering."""
