"""Release: from an approved model package to the champion, or back."""
