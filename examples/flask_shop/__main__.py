"""`python -m examples.flask_shop` runs the demo."""

import sys

from examples.flask_shop.demo import main

# The shop's process imports this file again, under another name.
if __name__ == "__main__":
    sys.exit(main())
