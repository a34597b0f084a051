"""The commands of the command line, a module for each room of the work; `foresail.cli.main` puts them together."""
