"""`python -m fairlead.apps.cli`: where no script `fairlead` is installed, as in the image of the operator."""

import sys

from fairlead.apps.cli import main

sys.exit(main())
