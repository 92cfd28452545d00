"""image_link -> bytes: paths stay under the media root, inline photos are kept, the rest is refused."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import os
import socket
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from streams.media import MediaError, MediaLimits, MediaResolver, MediaUnavailable

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX file types")
SECRET = b"outside the media root"


def photo(file_format: str = "PNG", colour: str = "teal") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, file_format)
    return buffer.getvalue()


@pytest.fixture
def media(tmp_path: Path) -> MediaResolver:
    root = tmp_path / "root"
    (root / "dresses").mkdir(parents=True)
    (root / "dresses" / "red dress ü.jpg").write_bytes(b"red dress")
    (root / "large.jpg").write_bytes(b"x" * 2001)
    (root / "largest.jpg").write_bytes(b"x" * 2000)
    (tmp_path / "secret.jpg").write_bytes(SECRET)
    (tmp_path / "root-2").mkdir()
    (tmp_path / "root-2" / "secret.jpg").write_bytes(SECRET)
    return MediaResolver(root, tmp_path / "inline", limits=MediaLimits(max_bytes=2000))


def fetch(media: MediaResolver, link: str) -> bytes:
    return asyncio.run(media.fetch(link))


def refusal(media: MediaResolver, link: str) -> str:
    with pytest.raises(MediaError) as caught:
        fetch(media, link)
    assert str(caught.value).startswith("image_link: ")
    return str(caught.value)


@pytest.mark.parametrize(
    "link", ["dresses/red dress ü.jpg", "./dresses/red dress ü.jpg", "dresses//red dress ü.jpg"]
)
def test_a_path_relative_to_the_media_root(media: MediaResolver, link: str) -> None:
    assert fetch(media, link) == b"red dress"


def test_the_size_is_capped_before_reading(media: MediaResolver) -> None:
    assert len(fetch(media, "largest.jpg")) == 2000
    assert "0.0 MB, at most 0.002 are allowed" in refusal(media, "large.jpg")


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("../secret.jpg", "not a plain path"),
        ("dresses/../../secret.jpg", "not a plain path"),
        ("dresses/../large.jpg", "not a plain path"),
        ("..", "not a plain path"),
        ("/etc/passwd", "not a plain path"),
        ("//host/share/x.jpg", "not a plain path"),
        ("..\\secret.jpg", "not a plain path"),
        ("dresses\\x.jpg", "not a plain path"),
        ("dresses/\0.jpg", "not a plain path"),
        ("", "not a plain path"),
        (".", "not a regular file|cannot read"),
        ("dresses", "not a regular file|cannot read"),
        ("dresses/", "not a regular file|cannot read"),
        ("missing.jpg", "no file 'missing.jpg'"),
        ("large.jpg/x.jpg", "no file"),
        ("\ud800.jpg", "no file"),
        ("a/" * 3000 + "x.jpg", "no file"),
        ("~/secret.jpg", "no file"),
        ("C:/secret.jpg", "scheme 'c'"),
        ("file:///etc/passwd", "scheme 'file'"),
        ("http://photos.example/x.jpg", "scheme 'http'"),
        ("ftp://photos.example/x.jpg", "scheme 'ftp'"),
        ("javascript:alert(1)", "scheme 'javascript'"),
        ("inline/" + "0" * 64 + ".gif", "no file"),
        ("inline/../../secret.jpg", "not a plain path"),
        ("inline/" + "0" * 64 + ".jpg", "cannot read"),
    ],
)
def test_what_is_no_photo_under_the_root_is_refused(media: MediaResolver, link: str, reason: str) -> None:
    message = refusal(media, link)
    assert any(part in message for part in reason.split("|")), message
    assert len(message) < 250


@POSIX
def test_symbolic_links_are_followed_only_inside_the_root(media: MediaResolver, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "inside.jpg").symlink_to("dresses/red dress ü.jpg")
    (root / "outside.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "neighbour").symlink_to(tmp_path / "root-2")
    (root / "loop.jpg").symlink_to("loop.jpg")
    assert fetch(media, "inside.jpg") == b"red dress"
    assert "leads out of the media root" in refusal(media, "outside.jpg")
    assert "leads out of the media root" in refusal(media, "neighbour/secret.jpg")
    assert "no file" in refusal(media, "loop.jpg")


@POSIX
def test_a_root_behind_a_symbolic_link_is_a_root(media: MediaResolver, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(tmp_path / "root")
    behind_link = MediaResolver(tmp_path / "current", tmp_path / "inline")
    assert fetch(behind_link, "dresses/red dress ü.jpg") == b"red dress"


@POSIX
def test_pipes_sockets_and_devices_are_refused_at_once(media: MediaResolver, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "root" / "pipe.jpg")
    listener = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(tmp_path / "root")  # the address of a socket must be short
    try:
        listener.bind("socket.jpg")
    finally:
        os.chdir(here)
    # A writer comes after five seconds, so that a reader that waits for one fails here and does not hang.
    writer = threading.Timer(5, os.open, (tmp_path / "root" / "pipe.jpg", os.O_WRONLY | os.O_NONBLOCK))
    writer.start()
    with listener:
        for name in ("pipe.jpg", "socket.jpg"):
            assert f"{name}' is not a regular file" in refusal(media, name) or "cannot read" in refusal(
                media, name
            )
    assert writer.is_alive(), "reading waited for a writer"
    writer.cancel()
    on_devices = MediaResolver(Path("/dev"), tmp_path / "inline")
    assert "not a regular file" in refusal(on_devices, "zero")


@POSIX
@pytest.mark.skipif(sys.platform != "win32" and os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(media: MediaResolver, tmp_path: Path) -> None:
    (tmp_path / "root" / "large.jpg").chmod(0)
    assert "cannot read" in refusal(media, "large.jpg")


def test_without_a_media_root_paths_are_refused(tmp_path: Path) -> None:
    assert "no media root is configured" in refusal(MediaResolver(None, tmp_path), "x.jpg")


def test_a_media_root_that_is_not_there_yet_may_come(tmp_path: Path) -> None:
    with pytest.raises(MediaUnavailable, match="media root cannot be read"):
        fetch(MediaResolver(tmp_path / "volume", tmp_path), "x.jpg")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.text(max_size=40),
        st.lists(
            st.sampled_from(["..", ".", "", "dresses", "secret.jpg", "root-2", "%2e%2e", "..%2f", "\\"])
        ).map("/".join),
    )
)
def test_no_link_leads_out_of_the_root(media: MediaResolver, link: str) -> None:
    try:
        found = fetch(media, link)
    except MediaError:
        return
    assert found != SECRET


@pytest.mark.parametrize(
    "header", ["data:image/png;base64,", "DATA:image/jpeg;BASE64,", "data:image/x;charset=u;base64,"]
)
def test_a_data_uri_is_decoded_whatever_type_it_claims(media: MediaResolver, header: str) -> None:
    assert fetch(media, header + base64.b64encode(photo()).decode()) == photo()


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("data:image/png;base64,####", "not valid base64"),
        ("data:image/png;base64,QUJD\nQUJD", "not valid base64"),
        ("data:image/png;base64,QUJDR", "not valid base64"),
        ("data:image/png;base64,QUI=QUI=", "not valid base64"),
        ("data:image/png;base64,QUJDü", "not valid base64"),
        ("data:image/png;base64", "does not begin with data:image/...;base64,"),
        ("data:image/png,QUJD", "does not begin"),
        ("data:text/html;base64,QUJD", "does not begin"),
        ("data:;base64,QUJD", "does not begin"),
    ],
)
def test_other_data_uris_are_refused(media: MediaResolver, link: str, reason: str) -> None:
    message = refusal(media, link)
    assert reason in message
    assert f"data URI of {len(link)} characters" in message


def test_a_large_data_uri_is_refused_before_decoding_and_not_repeated(media: MediaResolver) -> None:
    most = base64.b64encode(b"x" * 2000).decode()
    assert fetch(media, "data:image/png;base64," + most) == b"x" * 2000
    message = refusal(media, "data:image/png;base64," + "#" * 30_000)  # not even valid
    assert "at most 0.002 are allowed" in message
    assert len(message) < 150


@pytest.mark.parametrize(("file_format", "extension"), [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp")])
def test_an_inline_photo_is_kept_under_its_hash(
    media: MediaResolver, tmp_path: Path, file_format: str, extension: str
) -> None:
    data = photo(file_format)
    reference = media.store_inline(data)
    assert reference == f"inline/{hashlib.sha256(data).hexdigest()}.{extension}"
    assert fetch(media, reference) == data
    assert [path.name for path in (tmp_path / "inline").iterdir()] == [reference.removeprefix("inline/")]


def test_storing_again_writes_nothing_unless_the_file_was_cut_short(
    media: MediaResolver, tmp_path: Path
) -> None:
    reference = media.store_inline(photo())
    path = tmp_path / reference
    os.utime(path, ns=(1, 1))
    assert media.store_inline(photo()) == reference
    assert path.stat().st_mtime_ns == 1
    path.write_bytes(photo()[:20])
    assert media.store_inline(photo()) == reference
    assert path.read_bytes() == photo()


def test_a_damaged_inline_photo_is_not_returned(media: MediaResolver, tmp_path: Path) -> None:
    reference = media.store_inline(photo())
    (tmp_path / reference).write_bytes(photo(colour="red"))
    assert "damaged" in refusal(media, reference)


def test_what_is_no_photo_is_not_kept(media: MediaResolver, tmp_path: Path) -> None:
    for data, reason in [
        (b"<svg/>", "neither JPEG"),
        (b"", "neither JPEG"),
        (photo() + b"x" * 2000, "at most 0.002"),
    ]:
        with pytest.raises(MediaError, match=reason):
            media.store_inline(data)
    assert not (tmp_path / "inline").exists()


def test_a_store_that_cannot_be_written_may_work_later(media: MediaResolver, tmp_path: Path) -> None:
    (tmp_path / "inline").write_text("a file where the folder should be")
    with pytest.raises(MediaUnavailable, match="cannot store"):
        media.store_inline(photo())


def test_many_at_once_store_one_file(media: MediaResolver, tmp_path: Path) -> None:
    async def store_all() -> list[str]:
        return await asyncio.gather(*(asyncio.to_thread(media.store_inline, photo()) for _ in range(20)))

    assert len(set(asyncio.run(store_all()))) == 1
    assert len(list((tmp_path / "inline").iterdir())) == 1
