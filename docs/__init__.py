"""The documentation in Chinese and English, and its generators."""
