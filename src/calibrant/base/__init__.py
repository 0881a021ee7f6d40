"""What everything stands on: errors, ids, clock. Imports nothing of ours."""
