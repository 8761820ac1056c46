"""Whether an ONNX file holds all of its numbers: what it names instead are files, wherever they lie.

Newer ONNX Runtimes open none outside the folder of the file; the older ones open any.
Source: github.com/onnx/onnx, onnx/onnx.proto; protobuf.dev, "Encoding".
"""

from collections.abc import Iterator

# Kind of message -> number of a field -> kind of the message in it, down to whatever holds a tensor
INSIDE = {
    'model': {7: 'graph', 25: 'function'},
    'graph': {1: 'node', 5: 'tensor', 15: 'sparse'},
    'function': {7: 'node', 11: 'attribute'},
    'node': {5: 'attribute'},
    'attribute': {5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse'},
    'sparse': {1: 'tensor', 2: 'tensor'},
    'tensor': {},
}
EXTERNAL_DATA = 13  # of a tensor: where its numbers lie


def names_other_files(content: bytes) -> bool:
    """Whether any tensor of a model has its numbers in another file. Raises ValueError where it is no such model."""
    waiting = [('model', memoryview(content))]
    while waiting:
        kind, message = waiting.pop()
        for number, inside in messages(message):
            if kind == 'tensor' and number == EXTERNAL_DATA:
                return True
            if number in INSIDE[kind]:
                waiting.append((INSIDE[kind][number], inside))
    return False


def messages(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and bytes of all fields of a message that have a length."""
    at = 0
    while at < len(message):
        key, at = varint(message, at)
        wire = key & 7
        if wire == 0:
            _, at = varint(message, at)
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        elif wire == 2:
            length, at = varint(message, at)
            yield key >> 3, message[at : at + length]
            at += length
        else:
            raise ValueError(f'a field of kind {wire}')
    if at > len(message):
        raise ValueError('it is cut off')


def varint(message: memoryview, at: int) -> tuple[int, int]:
    """A whole number of up to ten bytes, and where the next one begins."""
    value = 0
    for place in range(10):
        if at + place >= len(message):
            raise ValueError('it is cut off')
        byte = message[at + place]
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, at + place + 1
    raise ValueError('a number without end')
