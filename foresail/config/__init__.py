"""The project file `foresail.toml`: what it may say, and the project that it describes."""
