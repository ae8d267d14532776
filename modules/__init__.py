"""The platform's constructs, one noun a file. A module builds; the stack wires.

Importing this package prepares the process for quick synthesis; see synthesis/.
"""

import synthesis

synthesis.prepare()
