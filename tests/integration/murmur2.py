"""The hash by which Kafka's Java client chooses a partition (org.apache.kafka.common.utils.Utils)."""

MASK = 0xFFFFFFFF


def murmur2(data):
    """32-bit hash of bytes, signed as in Java."""
    m = 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at:at + 4], "little") * m & MASK
        k = (k ^ k >> 24) * m & MASK
        h = (h * m & MASK) ^ k
    if whole != len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & MASK
    h = (h ^ h >> 13) * m & MASK
    h ^= h >> 15
    return h - (1 << 32) if h >> 31 else h


def partition(key, count):
    return (murmur2(key) & 0x7FFFFFFF) % count
