"""Goods on the way between merchant, warehouse and customer."""
