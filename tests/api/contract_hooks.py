"""What schemathesis has to be told of the API: how the bodies of tus are sent."""

import schemathesis


@schemathesis.serializer("application/offset+octet-stream")
def sent_as_it_is(_context, value):
    return value if isinstance(value, bytes) else str(value).encode()
