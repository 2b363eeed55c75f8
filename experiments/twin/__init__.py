"""A model of the engine behind the gateway: in virtual time, and as a stand-in server in real time."""
