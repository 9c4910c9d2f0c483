"""Makes the pages that tell what the code says: settings, calls, commands, codes of errors, figures. Nothing of it is kept."""
