"""How servers are reached: one description, held by every client against real fronts."""
