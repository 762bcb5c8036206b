"""Groups (qun), their members, joining and leaving."""
