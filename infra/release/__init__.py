"""From an approved model package to the champion, or back."""
