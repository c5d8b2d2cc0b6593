from __future__ import annotations

import pickle

from rankhammer.errors import ConfigError


def test_a_value_as_long_as_a_book_does_not_fill_the_screen():
    error = ConfigError(f"n is {'9' * 5000}: a number is wanted.", hint=f"See /{'a' * 300}/b.")
    assert len(str(error)) < 1_500
    assert str(error).endswith(f"… a number is wanted.\nHint: See /{'a' * 300}/b.")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_what_is_long_and_has_words_is_whole():
    message = "word " * 1_000
    assert ConfigError(message).message == message
