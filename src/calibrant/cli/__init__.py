"""The command line: one file a command, each thin. Heavy imports happen inside commands, so that help is quick."""
