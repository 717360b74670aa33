"""What a customer sees of their own: who they are, what comes next, what came last, what they owe."""
