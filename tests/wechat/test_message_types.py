"""Classification of messages: each kind of card, quotes, notes, and the limits."""

from __future__ import annotations

import html

import pytest

from wechat.events import MessageKind
from wechat.message_content import MAX_QUOTED, MAX_TEXT, Content, hello_of, read_content

LABELS = [MessageKind.OTHER, MessageKind.FILE, MessageKind.TEXT]


def app(number: str, more: str = "", title: str = "标题") -> str:
    return f"<msg><appmsg><title>{title}</title><type>{number}</type>{more}</appmsg></msg>"


def quote(refer: str) -> Content:
    return read_content(app("57", f"<refermsg>{refer}</refermsg>", "回复"), MessageKind.OTHER)


@pytest.mark.parametrize(
    ("number", "kind", "text"),
    [
        ("1", MessageKind.TEXT, "标题"),
        ("2", MessageKind.IMAGE, ""),
        ("3", MessageKind.LINK, "标题"),
        ("8", MessageKind.EMOTICON, ""),
        ("17", MessageKind.LOCATION, ""),
        ("24", MessageKind.CHAT_HISTORY, "标题"),
        ("53", MessageKind.TEXT, "标题"),
        ("62", MessageKind.PAT, "标题"),
        ("87", MessageKind.SYSTEM, ""),
        ("2003", MessageKind.RED_ENVELOPE, ""),
        ("9999", MessageKind.OTHER, "标题"),
        ("", MessageKind.OTHER, "标题"),
    ],
)
@pytest.mark.parametrize("label", LABELS)
def test_app_message_has_the_kind_of_its_type(number: str, kind: MessageKind, text: str, label: MessageKind) -> None:
    assert read_content(app(number), label) == Content(kind, text)


def test_app_message_of_unknown_type_with_an_address_is_a_link() -> None:
    content = read_content(app("9999", "<des>说明</des><url>http://a.example/</url>"), MessageKind.OTHER)
    assert content == Content(MessageKind.LINK, "标题\n说明", "http://a.example/")


def test_app_message_without_type_and_title_keeps_its_label() -> None:
    assert read_content("<msg><appmsg><des>x</des></appmsg></msg>", MessageKind.FILE) == Content(MessageKind.FILE)
    assert read_content("<appmsg><title>根</title></appmsg>", MessageKind.FILE) == Content(MessageKind.OTHER, "根")


def test_description_repeating_the_title_is_shown_once() -> None:
    assert read_content(app("5", "<des>标题</des>"), MessageKind.LINK).text == "标题"
    assert read_content(app("5", "<des>说明</des>", title=""), MessageKind.LINK).text == "说明"


def test_text_of_a_card_is_limited() -> None:
    content = read_content(app("5", f"<des>{'x' * MAX_TEXT}</des>"), MessageKind.LINK)
    assert len(content.text) == MAX_TEXT == 8000
    place = read_content(f"<msg><location poiname='{'x' * 9000}'/></msg>", MessageKind.OTHER)
    assert len(place.text) == MAX_TEXT


@pytest.mark.parametrize(("number", "part"), [("51", "finderFeed"), ("63", "finderLive")])
def test_channels_card_is_titled_by_its_author(number: str, part: str) -> None:
    named = app(number, f"<{part}><nickname>作者</nickname><desc>内容</desc></{part}>", "当前版本不支持")
    assert read_content(named, MessageKind.OTHER) == Content(MessageKind.LINK, "作者\n内容")
    unnamed = app(number, "<des>说明</des>")
    assert read_content(unnamed, MessageKind.OTHER) == Content(MessageKind.LINK, "标题\n说明")
    other = app("5", f"<{part}><nickname>作者</nickname></{part}>")
    assert read_content(other, MessageKind.OTHER) == Content(MessageKind.LINK, "标题")


@pytest.mark.parametrize("number", ["33", "36"])
def test_mini_program_falls_back_to_the_source(number: str) -> None:
    source = "<sourceusername>gh_s</sourceusername><sourcedisplayname>来源</sourcedisplayname>"
    named = app(number, f"<des>说明</des>{source}<weappinfo><username>gh_w@app</username></weappinfo>")
    assert read_content(named, MessageKind.OTHER) == Content(MessageKind.MINI_PROGRAM, "标题\n说明", "gh_w@app")
    assert read_content(app(number, source, ""), MessageKind.OTHER) == Content(MessageKind.MINI_PROGRAM, "来源", "gh_s")


@pytest.mark.parametrize(
    ("pay", "text"),
    [
        ("<feedesc>￥1</feedesc><pay_memo>货款</pay_memo><receivertitle>祝</receivertitle>", "￥1 货款"),
        ("<feedesc>￥1</feedesc><receivertitle>恭喜\n发财</receivertitle>", "￥1 恭喜 发财"),
        ("<receivertitle>恭喜</receivertitle>", "恭喜"),
        ("", ""),
    ],
)
@pytest.mark.parametrize(("number", "kind"), [("2000", MessageKind.TRANSFER), ("2001", MessageKind.RED_ENVELOPE)])
def test_money_is_shown_by_amount_and_note(pay: str, text: str, number: str, kind: MessageKind) -> None:
    assert read_content(app(number, f"<wcpayinfo>{pay}</wcpayinfo>"), MessageKind.OTHER) == Content(kind, text)


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ("img", MessageKind.IMAGE),
        ("voicemsg", MessageKind.AUDIO),
        ("videomsg", MessageKind.VIDEO),
        ("emoji", MessageKind.EMOTICON),
        ("gameext", MessageKind.EMOTICON),
    ],
)
def test_media_is_recognised_by_its_element(part: str, kind: MessageKind) -> None:
    assert read_content(f"<msg><{part} aeskey='x'/></msg>", MessageKind.OTHER) == Content(kind)


@pytest.mark.parametrize(
    ("attributes", "text", "target"),
    [
        ("x='1' y='2' label='路'", "路", "1,2"),
        ("x='1' y='2' label='路' poiname='路'", "路", "1,2"),
        ("x='1' poiname='店'", "店", "1"),
        ("x='1' y='2'", "", ""),
    ],
)
def test_place_has_coordinates_only_with_a_name(attributes: str, text: str, target: str) -> None:
    content = read_content(f"<msg><location {attributes}/></msg>", MessageKind.OTHER)
    assert content == Content(MessageKind.LOCATION, text, target)


def test_contact_card_needs_an_id_and_a_nickname() -> None:
    card = "<msg username='wxid_c' nickname='某\n人' alias='a1'/>"
    assert read_content(card, MessageKind.OTHER) == Content(MessageKind.CARD, "某 人（a1）", "wxid_c")
    assert read_content("<msg username='wxid_c' nickname=''/>", MessageKind.OTHER).kind is MessageKind.CARD
    assert read_content("<msg username='wxid_c'/>", MessageKind.OTHER) == Content(MessageKind.OTHER)
    assert read_content("<msg nickname='某人'/>", MessageKind.OTHER) == Content(MessageKind.OTHER)


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (
            "<sysmsg type='revokemsg'><revokemsg><msgid>7</msgid></revokemsg></sysmsg>",
            Content(MessageKind.RECALLED, "7"),
        ),
        ("<sysmsg type='revokemsg'/>", Content(MessageKind.RECALLED)),
        ("<sysmsg><pat/></sysmsg>", Content(MessageKind.SYSTEM)),
        ("<voipmsg type='VoIPBubbleMsg'/>", Content(MessageKind.SYSTEM)),
        ("<voipinvitemsg><x/></voipinvitemsg>", Content(MessageKind.SYSTEM)),
        ("<other><appmsg><type>1</type><title>x</title></appmsg></other>", Content(MessageKind.OTHER)),
    ],
)
def test_system_messages(text: str, content: Content) -> None:
    assert read_content(text, MessageKind.OTHER) == content


# ---- quotes ----


def test_quoted_text_is_limited() -> None:
    assert len(quote(f"<content>{'x' * 3000}</content>").quoted) == MAX_QUOTED == 2000


@pytest.mark.parametrize("type", ["", "<type>1</type>"])
def test_quoted_text_has_no_other_type(type: str) -> None:
    content = quote(f"{type}<content>原文</content>")
    assert (content.text, content.quoted, content.quoted_kind) == ("回复", "原文", MessageKind.TEXT)


@pytest.mark.parametrize("refer", ["<type>3</type><content>原文</content>", "<content>&lt;msg&gt;&lt;x&gt;</content>"])
def test_quoted_message_that_cannot_be_read_has_no_text(refer: str) -> None:
    content = quote(refer)
    assert (content.quoted, content.quoted_kind) == ("", MessageKind.OTHER)


def test_quoted_quote_is_its_reply() -> None:
    inner = html.escape(app("57", "<refermsg><content>最初</content></refermsg>", "第二"))
    content = quote(f"<type>49</type><content>{inner}</content>")
    assert (content.text, content.quoted, content.quoted_kind) == ("回复", "第二", MessageKind.TEXT)


def test_quoted_text_that_looks_like_other_markup_is_a_text() -> None:
    content = quote("<content>&lt;b&gt;粗&lt;/b&gt;</content>")
    assert (content.quoted, content.quoted_kind) == ("<b>粗</b>", MessageKind.TEXT)


@pytest.mark.parametrize(
    ("refer", "by"),
    [
        ("<fromusr>wxid_a</fromusr>", "wxid_a"),
        ("<fromusr>1@chatroom</fromusr><displayname>李\n逵</displayname>", "李 逵"),
        ("<chatusr>wxid_b</chatusr><fromusr>wxid_a</fromusr><displayname>李逵</displayname>", "wxid_b"),
        ("", ""),
    ],
)
def test_quoted_person_is_the_author_and_not_the_group(refer: str, by: str) -> None:
    assert quote(f"<content>x</content>{refer}").quoted_by == by


# ---- texts and notes ----


def test_name_of_the_sender_in_front_of_xml_is_skipped() -> None:
    xml = "<msg><img/></msg>"
    for prefix in ("wxid_a:\n", "wxid_a:<br/>", "wxid_a: \n "):
        assert read_content(prefix + xml, MessageKind.FILE) == Content(MessageKind.IMAGE)
    assert read_content("wxid_a:\n你好", MessageKind.TEXT) == Content(MessageKind.TEXT, "wxid_a:\n你好")


@pytest.mark.parametrize("text", ["  ", "", "\n"])
def test_blank_text_keeps_its_label(text: str) -> None:
    assert read_content(text, MessageKind.OTHER) == Content(MessageKind.OTHER, text)


def test_file_name_is_kept_and_markup_of_media_is_not() -> None:
    assert read_content("a.pdf", MessageKind.FILE) == Content(MessageKind.FILE, "a.pdf")
    assert read_content(" <unknown/>", MessageKind.FILE) == Content(MessageKind.FILE)
    assert read_content(" <unknown/>", MessageKind.TEXT) == Content(MessageKind.TEXT, " <unknown/>")


@pytest.mark.parametrize("note", ["你拍了拍别人的头", '"A" tickled "B"', "A nudged B"])
def test_loosely_worded_pat_is_recognised_unless_labelled_as_a_text(note: str) -> None:
    for label in (MessageKind.SYSTEM, MessageKind.TRANSFER, MessageKind.RECALLED, MessageKind.OTHER):
        assert read_content(note, label) == Content(MessageKind.PAT, note)
    assert read_content(note, MessageKind.TEXT) == Content(MessageKind.TEXT, note)


def test_long_note_is_not_searched_for_a_pat() -> None:
    longest = "拍了拍".rjust(MAX_QUOTED)
    assert read_content("x" + longest.strip(), MessageKind.SYSTEM).kind is MessageKind.PAT
    assert read_content("拍了拍" + "x" * (MAX_QUOTED - 3), MessageKind.SYSTEM).kind is MessageKind.PAT
    assert read_content("拍了拍" + "x" * (MAX_QUOTED - 2), MessageKind.SYSTEM).kind is MessageKind.SYSTEM


def test_markup_is_not_a_note() -> None:
    assert read_content("<b>拍了拍</b>", MessageKind.SYSTEM) == Content(MessageKind.SYSTEM)


def test_recalled_message_is_recognised_by_its_sentence() -> None:
    note = '"张三" 撤回了一条消息'
    assert read_content(f" {note}\n", MessageKind.TEXT) == Content(MessageKind.RECALLED)
    assert read_content(f"{note}吗", MessageKind.TEXT) == Content(MessageKind.TEXT, f"{note}吗")


def test_friend_request_text_without_content_is_kept() -> None:
    assert hello_of("<msg fromusername='x'/>") == "<msg fromusername='x'/>"
    assert hello_of("<other content='x'/>") == "<other content='x'/>"
    assert hello_of("\0") == "\N{REPLACEMENT CHARACTER}"
