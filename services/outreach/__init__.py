"""Messages to many: broadcasts, timed messages, reports, and messages asked for over REST."""
