"""What a command shows: progress, its end, its errors."""
