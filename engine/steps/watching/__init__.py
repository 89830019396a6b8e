"""What looks after the shop: readiness, alarms, the nightly audit, and the marks kept outside the store."""
