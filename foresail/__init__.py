"""The front door: the project file, the command line, the demo."""
