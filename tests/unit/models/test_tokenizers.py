import pytest
import torch

from clipfair.core.errors import UserError
from clipfair.models import blip2, tokenizers

END = 49_407


def test_words_are_their_line_numbers_and_others_are_left_out():
    words = tokenizers.read_words("embedded")
    tokenize = tokenizers.WordListTokenizer("embedded", 6)
    [row] = tokenize(["A man, somewhere: a NURSE."]).tolist()
    expected = [1 + words.index(word) for word in ("a", "man", "a", "nurse")]
    assert row == [*expected, 0, 0]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a man", "A NURSE"], ""),
        (["a man and a zyzzyva", "zyzzyva"], "'embedded' has 66.7% of the 6 words of 2 captions; 1 captions"),
        (["ein Mann", "eine Frau", "a man"], "warning: the word list 'embedded' has 33.3% of the 6 words"),
    ],
)
def test_words_that_the_list_lacks_are_counted_and_most_of_them_are_a_warning(capsys, texts, message):
    tokenizers.report_unknown_words(tokenizers.WordListTokenizer("embedded", 6), texts)
    printed = capsys.readouterr().err
    assert message in printed
    assert bool(message) == bool(printed)
    assert ("warning" in message) == ("warning" in printed)


def test_words_are_counted_for_every_tokenizer_of_a_word_list(capsys):
    words, _ = blip2.make_tokenizer({"kind": "words", "words": "embedded"}, 8)
    for tokenizer in (words, blip2.processed_captions(words, 5)):
        tokenizers.report_unknown_words(tokenizer, ["a zyzzyva"], what="texts")
        assert "has 50.0% of the 2 words of 1 texts; 0 texts have none" in capsys.readouterr().err
    tokenizers.report_unknown_words(tokenizers.sticky_tokenizer(4), ["zyzzyva"])
    assert capsys.readouterr().err == ""


def test_a_long_text_is_cut_before_its_end():
    assert tokenizers.WordListTokenizer("embedded", 4)(["a a a a a a"]).tolist()[0][-1] == 0
    assert tokenizers.sticky_tokenizer(4)(["a man and a woman"]).tolist()[0][-1] == END


def test_an_empty_text_consists_of_end_tokens():
    assert tokenizers.WordListTokenizer("embedded", 3)([""]).tolist() == [[0, 0, 0]]
    assert tokenizers.sticky_tokenizer(3)([""]).tolist() == [[END, END, END]]


def test_sticky_pairs_are_clips_without_start_and_padding():
    [clip] = tokenizers.clip_tokenizer(8)(["a photo of a cat"]).tolist()
    [sticky] = tokenizers.sticky_tokenizer(8)(["A photo of a CAT"]).tolist()
    assert clip[:7] == [49_406, *sticky[:5], END]
    assert sticky[5:] == [END] * 3


def test_no_texts():
    assert tokenizers.WordListTokenizer("embedded", 3)([]).shape == (0, 3)
    assert tokenizers.sticky_tokenizer(3)([]).dtype == torch.long


def test_words_are_distinct_and_in_order():
    words = tokenizers.read_words("embedded")
    assert list(words) == sorted(set(words))
    assert all(tokenizers.words_of(word) == [word] for word in words)


def test_an_unknown_list():
    with pytest.raises(UserError, match=r"config\.models: tokenizer: no word list 'x'; known: embedded"):
        tokenizers.read_words("x")
