"""Reversible data steps: plan, apply, verify, with all that taking them back needs."""
