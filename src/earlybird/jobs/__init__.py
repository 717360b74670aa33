"""Jobs on a schedule: what should have run and what did; what was missed is told, and made up for once."""
