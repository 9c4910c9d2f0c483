"""The web page. It reads and acts through `pretext_client` and nothing else; see CONTRIBUTING.md, "Add a page"."""
