"""`python -m fairlead_runner`: run the node document on stdin."""

from fairlead_runner.main import main

main()
