"""What lanes do on a real engine, in blocks of alternating windows, each kept as it ends."""
