"""Where business happens: legal entities, sites, shifts with cut-offs, areas, policies."""
