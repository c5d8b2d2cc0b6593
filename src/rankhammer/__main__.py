"""`python -m rankhammer`: what spark-submit and a packaged wheel start."""

from rankhammer.cli.main import main

if __name__ == "__main__":
    main()
