"""Customer service: tickets, questions, keywords and friends."""
