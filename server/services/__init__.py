"""What the service can do, one module per question; none knows HTTP."""
