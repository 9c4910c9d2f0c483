"""The bundle: a trained encoder with everything that is needed to use it, in every format that it can be had in."""

from ssl_core.export.bundle import LIGHTNESS, ExportError, export_bundle, preprocessing, write_bundle

__all__ = ["LIGHTNESS", "ExportError", "export_bundle", "preprocessing", "write_bundle"]
