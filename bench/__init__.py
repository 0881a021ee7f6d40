"""What backs a claim about speed or about statistics. Runs outside the tests."""
