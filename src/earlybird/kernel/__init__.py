"""The words every storey speaks: ids, money, time, states, failures. Pure Python."""
