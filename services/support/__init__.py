"""Customer service: tickets, questions, keywords and friend requests."""
