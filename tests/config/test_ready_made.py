"""The ready-made configurations, which the package ships."""

from pathlib import Path

import pytest

from w2vspark import jobs
from w2vspark.base.errors import ConfigError
from w2vspark.config import ready_made
from w2vspark.config.load import read_tree
from w2vspark.methods import from_dict, load_config

ROOT = Path(__file__).parents[2]
PATHS = ["input.path=/in", "output.path=/out"]


def test_they_are_the_files_of_conf():
    assert ready_made.names() == sorted(path.stem for path in (ROOT / "conf").glob("*.toml"))
    for name in ready_made.names():
        assert ready_made.find(name).read_bytes() == (ROOT / "conf" / f"{name}.toml").read_bytes()


@pytest.mark.parametrize("name", ready_made.names())
def test_each_can_be_used_by_its_name_and_says_in_a_line_what_it_is_for(name):
    assert 20 < len(ready_made.about(name)) < 100
    if name == "fold":
        jobs.load_config(jobs.JOBS["fold"], name, PATHS)
        return
    assert load_config(name, PATHS) == load_config(str(ROOT / "conf" / f"{name}.toml"), PATHS)


def test_the_method_of_a_ready_made_configuration_is_the_one_in_its_name():
    for name in ("glove", "lsa", "ppmi-svd"):
        assert load_config(name, PATHS)[0].name == name
    assert load_config("word2vec", PATHS)[0].name == "skipgram-ns"
    with pytest.raises(ConfigError, match=r"input\.path"):
        from_dict(read_tree("quickstart"))


def test_a_file_goes_before_a_ready_made_configuration_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lsa").mkdir()
    assert read_tree("lsa")["training"]["method"] == "lsa", "a folder does not"
    (tmp_path / "glove").write_text("[training]\nmethod = 'lsa'\n")
    assert read_tree("glove") == {"training": {"method": "lsa"}}


@pytest.mark.parametrize("name, hint", [("glov", "did you mean glove?"), ("conf/none.toml", "known are fold, glove,")])
def test_an_unknown_name_is_told_with_what_there_is(name, hint):
    with pytest.raises(ConfigError, match="no such configuration file, and no ready-made configuration") as error:
        read_tree(name)
    assert hint in str(error.value)
