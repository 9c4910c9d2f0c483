"""The client for `await`, made by client/make_async from the one for threads."""
