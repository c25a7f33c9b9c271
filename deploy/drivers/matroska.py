"""From when to when a Matroska file holds frames, in microseconds since 1970: as much of the format
as that needs. The recorder wrote Unix time into it."""

DESCEND = {0x18538067, 0x1549A966, 0x1F43B675, 0xA0}  # Segment, Info, Cluster, BlockGroup
EBML, SCALE, TIMESTAMP, BLOCK, SIMPLE_BLOCK = 0x1A45DFA3, 0x2AD7B1, 0xE7, 0xA1, 0xA3
YEAR_2000_US = 946684800 * 1_000_000


def _number(data, marked):
    """Value and length of a number of variable length; None if it is not whole."""
    if not data or not data[0]:
        return None
    length = 9 - data[0].bit_length()
    if len(data) < length:
        return None
    value = int.from_bytes(data[:length], "big")
    return (value if marked else value & ~(1 << 7 * length)), length


def frames(path):
    """First and last frame and how many frames lie between them; None if there is no frame with
    Unix time. Damage ends the file where it begins."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        at, scale, cluster, first, last, count = 0, 1_000_000, 0, None, 0, 0
        while at < size:
            file.seek(at)
            head = file.read(12)
            ident = _number(head, True)
            length = ident and _number(head[ident[1] :], False)
            if not length or (at == 0 and ident[0] != EBML):
                break
            content = at + ident[1] + length[1]
            if ident[0] in DESCEND:
                at = content
                continue
            if content + length[0] > size:
                break
            if ident[0] in (SCALE, TIMESTAMP) and length[0] <= 8:
                file.seek(content)
                value = int.from_bytes(file.read(length[0]), "big")
                scale, cluster = (value, cluster) if ident[0] == SCALE else (scale, value)
            elif ident[0] in (BLOCK, SIMPLE_BLOCK):
                file.seek(content)
                block = file.read(12)
                track = _number(block, False)
                if track and len(block) >= track[1] + 2:
                    relative = int.from_bytes(block[track[1] : track[1] + 2], "big", signed=True)
                    us = (cluster + relative) * scale // 1000
                    first, last, count = min(us, first or us), max(us, last), count + 1
            at = content + length[0]
    return (first, last, count) if first and first > YEAR_2000_US else None
