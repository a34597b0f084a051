"""Secrets come from the environment, or from files that it names, and are hidden again in what is said."""

import pytest

from serving.interventions.deliver.secrets import ChannelUnusable, Environment


def test__filled__variable_or_file__and_hidden_again(tmp_path):
    (tmp_path / "token").write_text("s3cret\n", encoding="utf-8")
    own = Environment({"USER_NAME": "ada", "TOKEN_FILE": str(tmp_path / "token")})
    assert own.filled("x://${USER_NAME}:${TOKEN}@host") == "x://ada:s3cret@host"
    assert own.hidden("refused: s3cret of ada") == "refused: ${TOKEN} of ${USER_NAME}"
    (tmp_path / "token").write_text("another", encoding="utf-8")
    assert own.filled("${TOKEN}") == "another"


def test__filled__what_is_not_there__is_named_without_its_value(tmp_path):
    own = Environment({"TOKEN_FILE": str(tmp_path / "gone")})
    with pytest.raises(ChannelUnusable, match=r"no variable USER_NAME, nor USER_NAME_FILE"):
        own.filled("${USER_NAME}")
    with pytest.raises(ChannelUnusable, match=r"TOKEN_FILE names .*gone, which cannot be read: FileNotFoundError"):
        own.filled("${TOKEN}")
