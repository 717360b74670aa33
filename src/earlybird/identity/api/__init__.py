"""The doors of identity: signing in, users, keys of machines, a provider of the business's own."""
