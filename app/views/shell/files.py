"""Files that leave the portal: workbooks and whatever hangs on records, each under its Chinese name."""

from __future__ import annotations

from urllib.parse import quote

from flask import Response as FlaskResponse

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def xlsx(content: bytes, name: str) -> FlaskResponse:
    """A workbook as a download with its Chinese name."""
    return download(content, name, XLSX)


def download(content: bytes, name: str, content_type: str) -> FlaskResponse:
    """A file to keep, under its Chinese name."""
    response = FlaskResponse(content, content_type=content_type)
    suffix = name.rpartition(".")[2]
    # RFC 6266: an ASCII name for all, the Chinese one encoded.
    response.headers["Content-Disposition"] = f"attachment; filename=\"kaoji.{suffix}\"; filename*=UTF-8''{quote(name)}"
    return response
