"""Who may come in: users, memberships, grants, sessions."""
