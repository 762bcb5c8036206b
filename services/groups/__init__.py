"""Groups (qun), their members and the ways in and out."""
