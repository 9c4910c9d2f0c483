"""`python -m launcher` is `pretext-server`."""

from launcher.main import main

main()
