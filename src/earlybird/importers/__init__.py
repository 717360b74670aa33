"""Other people's data into ours; one folder per source."""
