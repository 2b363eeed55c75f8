"""What lanes do, in virtual time, beside what theory says of them."""
