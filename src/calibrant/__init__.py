"""Calibrant."""
