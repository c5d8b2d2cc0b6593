"""`python -m rankhammer_doctor`, where the command is not on the path."""

from rankhammer_doctor.cli import main

main()
