"""The documentation: pages in Chinese and English, and what builds them."""
