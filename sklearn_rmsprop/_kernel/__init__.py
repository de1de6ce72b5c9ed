"""The compiled part: rows, losses, and the epochs between two checks. It never sees a string or an estimator."""
