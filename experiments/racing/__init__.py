"""A race of settings under common arrivals: the surely worse leave, the time goes to those that are close."""
