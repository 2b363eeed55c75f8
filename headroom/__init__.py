"""The console command `headroom`: one word for every command of the project. It only dispatches."""
