"""What is sold: products, units and packs, versioned prices, dated tax rates."""
