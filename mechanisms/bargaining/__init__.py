"""Bargaining: two sides and how they come to terms."""
