# ruff: noqa: RUF001 (foreign text is the point)
"""The tokenizer against regular expressions, unicodedata and examples worked by hand."""

import re
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2vspark.base.errors import ConfigError
from w2vspark.text.settings import TokensConfig
from w2vspark.text.tokenizer import decode, tokenizer


def words(text: str, **settings: object) -> list[str]:
    found = tokenizer(TokensConfig(**settings))(text)  # type: ignore[arg-type]
    assert len(found) <= 1
    return found[0] if found else []


def slow_words(text: str) -> list[str]:
    """The built-in pattern, character by character."""
    kinds = [unicodedata.category(character)[0] for character in text]
    found, current = [], ""
    for at, (character, kind) in enumerate(zip(text, kinds, strict=True)):
        starts = kind in "LN"
        joins = current and character in "'\u2019\u200c\u200d" and at + 1 < len(text) and kinds[at + 1] in "LN"
        if starts or (kind == "M" and current) or joins:
            current += character
        elif current:
            found.append(current)
            current = ""
    return [*found, current] if current else found


@given(st.text(alphabet=st.sampled_from("aZ09'' _-.,\t\n\x1c\x00"), max_size=60))
@settings(max_examples=500, deadline=None)
def test_the_ascii_path_finds_the_words_of_the_regular_expression(text: str) -> None:
    expected = re.findall(r"[a-z0-9]+(?:'[a-z0-9]+)*", text.lower())
    assert words(text) == expected
    assert words(text + " é") == [*expected, "é"], "the path of other text"


@given(st.text(max_size=40) | st.text(alphabet="aé'’\u200dक्षि\U00020000\U0001f600٣ ½_e\u0301", max_size=40))
@settings(max_examples=500, deadline=None)
def test_the_built_in_pattern_is_letters_marks_and_numbers_of_every_plane(text: str) -> None:
    assert words(text, normalize="none", lowercase=False) == slow_words(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop, 'tis the dogs' rock''n'roll!", ["don't", "stop", "tis", "the", "dogs", "rock", "n'roll"]),
        ("l’été d’Âne", ["l’été", "d’âne"]),
        ("हिन्दी में क्षत्रिय", ["हिन्दी", "में", "क्षत्रिय"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("snake_case e-mail c++ 3.14", ["snake", "case", "e", "mail", "c", "3", "14"]),
        ("❤️ 👍🏽 — …", []),
        ("\ufeffstart", ["start"]),
    ],
)
def test_the_built_in_pattern_keeps_whole_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_nfkc_makes_one_word_of_its_spellings() -> None:
    assert words("ﬁne ＡＢＣ e\u0301t\u00e9") == ["fine", "abc", "été"]
    assert words("ﬁne e\u0301", normalize="NFC") == ["ﬁne", "é"]
    assert words("ﬁne e\u0301", normalize="none") == ["ﬁne", "e\u0301"]


def test_lower_casing_can_be_turned_off() -> None:
    assert words("New YORK Ärger") == ["new", "york", "ärger"]
    assert words("New YORK Ärger", lowercase=False) == ["New", "YORK", "Ärger"]


def test_lengths_are_counted_in_characters_and_their_limits_are_included() -> None:
    assert words("a bb ééé dddd", min_length=2, max_length=3) == ["bb", "ééé"]
    assert words("x" * 100 + " " + "y" * 101) == ["x" * 100]


@pytest.mark.parametrize(
    ("numbers", "expected"), [("keep", "1,234.5 mp3 ٣٤ 7. v2"), ("drop", "mp3 7. v2"), ("zero", "0,000.0 mp3 00 7. v2")]
)
def test_numbers_are_kept_dropped_or_zeroed(numbers: str, expected: str) -> None:
    assert words("1,234.5 mp3 ٣٤ 7. v2", tokenizer="whitespace", numbers=numbers) == expected.split()


def test_whitespace_keeps_what_is_tokenized_already() -> None:
    assert words("New_York 's\u3000end. #1\u00a0x", tokenizer="whitespace") == ["new_york", "'s", "end.", "#1", "x"]


def test_a_pattern_of_ones_own_may_hold_groups_and_empty_matches() -> None:
    assert words("a1 b22", pattern=r"[a-z]\d+") == ["a1", "b22"]
    assert words("a1 b22", pattern=r"([a-z])(\d)*") == ["a1", "b22"]
    assert words("a1 b22", pattern=r"[a-z]*") == ["a", "b"]


def test_a_pattern_that_is_no_regular_expression_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"tokens\.pattern '\[a'"):
        tokenizer(TokensConfig(pattern="[a"))


def test_lines_end_sentences_and_those_without_words_are_left_out() -> None:
    assert tokenizer(TokensConfig(sentences="line"))("One two.\r\n\n--\nthree") == [["one", "two"], ["three"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is 3.14. Really?! Yes... no", [["it", "is", "3", "14"], ["really"], ["yes"], ["no"]]),
        ('He said "stop." (She went!) End.', [["he", "said", "stop"], ["she", "went"], ["end"]]),
        ("www.example.org stays. And", [["www", "example", "org", "stays"], ["and"]]),
        ("今天好。明天！？后天｡他说：「好。」走", [["今天好"], ["明天"], ["后天"], ["他说", "好"], ["走"]]),
        ("wait… what", [["wait"], ["what"]]),
        ("", []),
    ],
)
def test_punctuation_ends_sentences(text: str, expected: list[list[str]]) -> None:
    assert tokenizer(TokensConfig(sentences="punctuation"))(text) == expected


def test_sentence_splitting_loses_no_character() -> None:
    found = tokenizer(TokensConfig(tokenizer="whitespace", sentences="punctuation", lowercase=False))(
        "End. 'So.' 好。吗? x.y"
    )
    assert found == [["End."], ["'So.'"], ["好。"], ["吗?"], ["x.y"]]


@pytest.mark.timeout(20)
def test_long_runs_of_stops_and_apostrophes_take_linear_time() -> None:
    tokenize = tokenizer(TokensConfig(sentences="punctuation"))
    assert tokenize("." * 300_000 + "x") == [["x"]]
    assert tokenize("é" + "'" * 300_000 + "x") == [["é", "x"]]


def test_jieba_cuts_chinese_and_keeps_only_what_holds_a_letter_or_digit() -> None:
    pytest.importorskip("jieba")
    assert words("我来到北京清华大学，花了3.5元！", tokenizer="jieba") == [
        "我",
        "来到",
        "北京",
        "清华大学",
        "花",
        "了",
        "3.5",
        "元",
    ]
    assert words("花了3.5元", tokenizer="jieba", numbers="zero") == ["花", "了", "0.0", "元"]


def test_a_missing_jieba_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jieba", None)
    with pytest.raises(ConfigError, match=r"pip install w2vspark\[chinese\]"):
        tokenizer(TokensConfig(tokenizer="jieba"))


def test_bytes_that_are_not_utf8_are_replaced_and_told() -> None:
    assert decode("é".encode()) == ("é", True)
    assert decode(b"caf\xe9 x") == ("caf\ufffd x", False)
