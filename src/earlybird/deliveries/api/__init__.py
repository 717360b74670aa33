"""The HTTP doors of orders with their stops, of deliveries and of plans."""
