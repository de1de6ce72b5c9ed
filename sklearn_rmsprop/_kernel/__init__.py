"""The compiled part: rows, losses, and the training loop. It never sees a string or an estimator."""
