"""Messages to people: written in the commit of what they tell of, sent after it."""
