"""Photos and signatures: made anew from what came, kept outside the database, private."""
