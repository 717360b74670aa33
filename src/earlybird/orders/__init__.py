"""What a customer is to get: priced lines, by hand or from a standing order."""
