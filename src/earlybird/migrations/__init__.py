"""Reversible data steps: plan, apply, verify, revert."""
