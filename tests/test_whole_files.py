import errno

import pytest

from tsgan.whole_files import whole_file, write_whole


def test_a_file_is_there_at_the_end_with_its_folders_and_nothing_beside_it(tmp_path):
    with whole_file(tmp_path / 'a/b.bin') as unfinished:
        unfinished.write_bytes(b'1')
        assert not (tmp_path / 'a/b.bin').exists()
    assert (tmp_path / 'a/b.bin').read_bytes() == b'1'
    write_whole(tmp_path / 'a/b.bin', 'ä')
    assert (tmp_path / 'a/b.bin').read_bytes() == b'\xc3\xa4'
    assert [file.name for file in (tmp_path / 'a').iterdir()] == ['b.bin']


def test_what_goes_wrong_leaves_the_old_file_as_it_was(tmp_path):
    write_whole(tmp_path / 'a', 'old')
    with pytest.raises(KeyboardInterrupt), whole_file(tmp_path / 'a') as unfinished:
        unfinished.write_text('half of the n')
        raise KeyboardInterrupt
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [('a', 'old')]


def test_a_file_that_does_not_fit_is_named(tmp_path):
    write_whole(tmp_path / 'a', 'old')
    with pytest.raises(OSError) as error, whole_file(tmp_path / 'a'):
        raise OSError(errno.ENOSPC, 'No space left on device')  # as a write does, which names none
    assert str(error.value) == f"[Errno 28] No space left on device: '{tmp_path}/a'"
    assert (tmp_path / 'a').read_text() == 'old'
    (tmp_path / 'folder').write_text('')
    with pytest.raises(OSError, match='folder'):
        write_whole(tmp_path / 'folder/b', 'new')


def test_a_link_where_the_unfinished_file_would_lie_is_not_followed(tmp_path):
    (tmp_path / 'mine').write_text('kept')
    (tmp_path / 'a.unfinished').symlink_to(tmp_path / 'mine')
    write_whole(tmp_path / 'a', 'new')
    assert (tmp_path / 'a').read_text() == 'new' and (tmp_path / 'mine').read_text() == 'kept'
    assert not (tmp_path / 'a').is_symlink()
