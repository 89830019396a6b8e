"""What people ask for on a page and choose there: sign-ups, their confirmation, topics and breaks."""
