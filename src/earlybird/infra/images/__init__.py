"""Pictures that strangers send: opened in a process of their own that may use little, and made anew."""
