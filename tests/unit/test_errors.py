import pickle

from tsubame.errors import BadInput, Rejected, Unavailable


def test_an_error_is_one_line_naming_object_offset_expected_and_found():
    error = BadInput("bad magic", key="a/b.pcap", offset=24, expected="d4c3b2a1", actual="504b0304", hint="Unzip\n it.")
    assert str(error) == "a/b.pcap: bad magic at byte 24: expected d4c3b2a1, found 504b0304. Unzip it."


def test_errors_survive_the_way_between_processes():
    for error in (BadInput("x", key="k", offset=3), Rejected("no", verdict={"passed": False}), Unavailable("gone")):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert again.__dict__ == error.__dict__
