"""Datasets: the only place that joins the record and the catalogue."""
