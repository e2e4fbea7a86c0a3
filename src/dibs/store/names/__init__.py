"""The names table: claims, releases, renames, history and lists."""
