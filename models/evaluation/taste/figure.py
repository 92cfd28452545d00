"""stub"""

from PIL import Image


def figure(rows):
    return Image.new("RGB", (10, 10))
