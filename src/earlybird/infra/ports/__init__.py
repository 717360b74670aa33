"""Ports: what is outside, each as a Protocol with a fake beside the real one; wiring picks."""
