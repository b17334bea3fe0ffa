"""Images, masks and maps side by side."""
