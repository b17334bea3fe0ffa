"""The size at which a network sees an image: the same in training, in evaluation and for single photographs."""

Size = tuple[int, int]
"""(height, width) in pixels."""


def size_when_read(size: Size, base_size: Size | None, keep_aspect: bool) -> Size:
    """The size to which an image is resized; its own size if it is not resized.

    Args:
        size: of the upright image.
        base_size, keep_aspect: as in `DataConfig`.
    """
    if base_size is None:
        return size
    if not keep_aspect:
        return base_size
    scale = min(base_size) / min(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def rounded_up(size: Size, multiple: int) -> Size:
    """The size with both sides rounded up to multiples of this."""
    return tuple(-(-side // multiple) * multiple for side in size)


def size_text(size: Size) -> str:
    """A size for messages: "height x width"."""
    return f"{size[0]} x {size[1]}"
