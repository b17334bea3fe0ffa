"""What a run reports while it trains: the log, progress, counts about pseudo labels, pictures."""
