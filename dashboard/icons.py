"""Line icons, 24 units wide, drawn with the colour of the text around them."""

from nicegui import ui

_PATHS = {
    "datasets": '<rect x="3.5" y="3.5" width="7" height="7" rx="1.5"/><rect x="13.5" y="3.5" width="7" height="7" rx="1.5"/>'
    '<rect x="3.5" y="13.5" width="7" height="7" rx="1.5"/><rect x="13.5" y="13.5" width="7" height="7" rx="1.5"/>',
    "new": '<path d="M12 5v14M5 12h14"/>',
    "jobs": '<path d="M4 18l5-6 4 3 7-9"/><path d="M15.5 6H20v4.5"/>',
    "compare": '<path d="M12 4v16M5 8h4M5 12h4M5 16h4M15 8h4M15 12h4M15 16h4"/>',
    "models": '<path d="M12 3l8 4.5v9L12 21l-8-4.5v-9z"/><path d="M4 7.5l8 4.5 8-4.5M12 12v9"/>',
    "workers": '<rect x="4" y="5" width="16" height="6" rx="1.5"/><rect x="4" y="13" width="16" height="6" rx="1.5"/>'
    '<path d="M8 8h.01M8 16h.01"/>',
    "usage": '<path d="M5 20V10M12 20V4M19 20v-7"/>',
    "keys": '<circle cx="8" cy="15" r="4"/><path d="M11 12l8-8M16 7l3 3"/>',
    "members": '<circle cx="9" cy="8.5" r="3.5"/><path d="M2.5 20c.4-4 3-6 6.5-6s6.1 2 6.5 6"/>'
    '<path d="M15.5 5.3a3.5 3.5 0 0 1 0 6.400M18 14.6c2 .8 3.200 2.600 3.5 5.400"/>',
    "webhooks": '<circle cx="6" cy="17" r="3"/><circle cx="18" cy="17" r="3"/><circle cx="12" cy="6" r="3"/>'
    '<path d="M9 17h6M10.6 8.6L7.4 14.4M13.4 8.6l3.2 5.8"/>',
    "audit": '<path d="M6 3.5h9l4 4v13H6z"/><path d="M9.5 12h6M9.5 16h6M9.5 8h2"/>',
    "menu": '<path d="M4 7h16M4 12h16M4 17h16"/>',
    "theme": '<circle cx="12" cy="12" r="8"/><path d="M12 4a8 8 0 0 0 0 16z" fill="currentColor"/>',
    "leave": '<path d="M10 4H5.5v16H10M15 8l4 4-4 4M19 12H10"/>',
    "upload": '<path d="M12 15V4M7.5 8.5L12 4l4.5 4.5M4 15v4.5h16V15"/>',
    "copy": '<rect x="8.5" y="8.5" width="11" height="11" rx="2"/><path d="M15.5 8.5v-4h-11v11h4"/>',
    "pause": '<path d="M9 6v12M15 6v12"/>',
    "play": '<path d="M8 5.5l10 6.5-10 6.5z"/>',
    "stop": '<rect x="6.5" y="6.5" width="11" height="11" rx="1.5"/>',
    "trash": '<path d="M4.5 7h15M9.5 7V4.5h5V7M6.5 7l1 13h9l1-13"/>',
    "labels": '<path d="M4 4h8l8 8-8 8-8-8z"/><path d="M8.5 8.5h.01"/>',
    "alert": '<circle cx="12" cy="12" r="8.5"/><path d="M12 7.5v5.5M12 16.2h.01"/>',
    "next": '<path d="M9 5l7 7-7 7"/>',
    "close": '<path d="M6 6l12 12M18 6L6 18"/>',
    "image": '<rect x="3.5" y="4.5" width="17" height="15" rx="2"/><path d="M4 17l5-5 4 4 3-3 4 4"/><path d="M15.5 9h.01"/>',
}


def icon(name: str) -> ui.html:
    """An icon; screen readers pass over it, so that what it stands for has to be said beside it."""
    drawn = (
        '<svg viewBox="0 0 24 24" width="18" height="18" fill="none" stroke="currentColor" stroke-width="1.6" '
        f'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">{_PATHS[name]}</svg>'
    )
    return ui.html(drawn, sanitize=False, tag="span").classes("icon")
