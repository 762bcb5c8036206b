"""Classification of messages by content, regardless of the gateway's label."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codec import clean
from wechat import bounded_xml
from wechat.events import MessageKind
from wechat.message_content import Content, hello_of, read_content
from wechat.typed_markup import typed_words

ANY = (MessageKind.OTHER, MessageKind.FILE, MessageKind.TEXT, MessageKind.LINK)


def app(number: int, title: str, more: str = "") -> str:
    return (
        f'<?xml version="1.0"?>\n<msg><appmsg appid="" sdkver="0"><title>{title}</title><des></des>'
        f"<type>{number}</type>{more}</appmsg></msg>"
    )


def quoting(text: str, quoted: str, type: int = 1) -> str:
    who = "<svrid>88</svrid><displayname>小助手</displayname>"
    return app(57, text, f"<refermsg><type>{type}</type>{who}<content>{quoted}</content></refermsg>")


QUOTE = quoting("您好，马上为您处理", "【#1 黑旋风】我的订单还没到")
PROGRAM = app(33, "小游戏", "<url>https://mp.weixin.qq.com/x</url><weappinfo><username>gh_x@app</username></weappinfo>")
CARD = '<?xml version="1.0"?><msg bigheadimgurl="http://x/0" username="wxid_card" nickname="某人" alias="" scene="17"/>'


@pytest.mark.parametrize("kind", ANY)
def test_quoting_reply_contains_only_its_own_text(kind: MessageKind) -> None:
    said = Content(MessageKind.TEXT, "您好，马上为您处理", quoted="【#1 黑旋风】我的订单还没到", quoted_by="小助手")
    assert read_content(QUOTE, kind) == said
    assert read_content(f"wxid_a:\n{QUOTE}", kind) == said
    assert read_content(html.escape(QUOTE), kind) == said


@pytest.mark.parametrize(("type", "part", "quoted"), [
    (3, "<msg><img aeskey='x'/></msg>", MessageKind.IMAGE),
    (49, PROGRAM.partition("\n")[2], MessageKind.MINI_PROGRAM),
    (34, "", MessageKind.OTHER),
])  # fmt: skip
def test_quoted_picture_is_named_by_kind(type: int, part: str, quoted: MessageKind) -> None:
    content = read_content(quoting("这张", html.escape(part), type), MessageKind.OTHER)
    assert (content.kind, content.text, content.quoted_kind) == (MessageKind.TEXT, "这张", quoted)


@pytest.mark.parametrize(("text", "content"), [
    (PROGRAM, Content(MessageKind.MINI_PROGRAM, "小游戏", "gh_x@app")),
    (CARD, Content(MessageKind.CARD, "某人", "wxid_card")),
    (app(5, "标题", "<url>http://a.example/?x=1&y=2</url>"), Content(MessageKind.LINK, "标题", "http://a.example/?x=1&y=2")),
    (app(6, "合同.pdf"), Content(MessageKind.FILE, "合同.pdf")),
    (app(19, "群聊的聊天记录"), Content(MessageKind.CHAT_HISTORY, "群聊的聊天记录")),
    (app(53, "#接龙\n1. 张三"), Content(MessageKind.TEXT, "#接龙\n1. 张三")),
    (app(2000, "微信转账", "<wcpayinfo><feedesc>￥9.90</feedesc><pay_memo>货款</pay_memo></wcpayinfo>"),
     Content(MessageKind.TRANSFER, "￥9.90 货款")),
    (app(2001, "微信红包"), Content(MessageKind.RED_ENVELOPE)),
    ("<msg><img aeskey='a'/></msg>", Content(MessageKind.IMAGE)),
    ("<msg><location x='31.2' y='121.4' label='水泊路' poiname='梁山'/></msg>",
     Content(MessageKind.LOCATION, "梁山 水泊路", "31.2,121.4")),
    ("<sysmsg type='pat'><pat><template>\"${a}\" 拍了拍我</template></pat></sysmsg>", Content(MessageKind.PAT)),
    ("<sysmsg type='revokemsg'><revokemsg><newmsgid>77</newmsgid></revokemsg></sysmsg>",
     Content(MessageKind.RECALLED, "77")),
    ("<sysmsg type='delchatroommember'><x/></sysmsg>", Content(MessageKind.SYSTEM)),
])  # fmt: skip
@pytest.mark.parametrize("kind", [MessageKind.OTHER, MessageKind.FILE, MessageKind.TEXT])
def test_cards_and_notes_are_parsed_by_content(text: str, content: Content, kind: MessageKind) -> None:
    assert read_content(text, kind) == content


@pytest.mark.parametrize(
    "kind", [MessageKind.SYSTEM, MessageKind.TEXT, MessageKind.TRANSFER, MessageKind.RECALLED, MessageKind.OTHER]
)
def test_pat_is_recognised(kind: MessageKind) -> None:
    assert read_content('"张三" 拍了拍我', kind).kind is MessageKind.PAT
    assert read_content('"张三" 拍了拍 "李四" 的肩膀', kind).kind is MessageKind.PAT


@pytest.mark.parametrize(
    "text", ["我拍了拍他", "<msg 加微信", "<b>粗体</b>", "1 < 2", "<msg><x/></msg>", f"{QUOTE}加微信"]
)
def test_typed_text_stays_a_text(text: str) -> None:
    assert read_content(text, MessageKind.TEXT) == Content(MessageKind.TEXT, text)


def test_text_of_unknown_kind_is_a_text() -> None:
    assert read_content("营业时间", MessageKind.OTHER) == Content(MessageKind.TEXT, "营业时间")
    assert read_content("", MessageKind.OTHER).kind is MessageKind.OTHER
    assert read_content("我想问一下\ud83d", MessageKind.TEXT).text == "我想问一下\N{REPLACEMENT CHARACTER}"


def test_unparsable_xml_is_never_shown() -> None:
    for broken in ("<msg><a></b></msg>", "<!DOCTYPE a [<!ENTITY b 'c'>]><msg>&b;</msg>", "<msg>" * 100, "<msg/>"):
        for kind in (MessageKind.IMAGE, MessageKind.OTHER):
            assert read_content(broken, kind) == Content(kind)


def test_truncated_xml_is_parsed_as_far_as_possible() -> None:
    cut = QUOTE[: QUOTE.index("</refermsg>") - 20]
    assert read_content(cut, MessageKind.OTHER).text == "您好，马上为您处理"


def test_oversized_xml_is_not_parsed() -> None:
    assert bounded_xml.parse("<msg>" + "<a/>" * bounded_xml.MAX_ELEMENTS + "</msg>") is None
    assert bounded_xml.parse("<a>" * 30 + "</a>" * 30) is None
    assert bounded_xml.parse(f"<msg>{'x' * bounded_xml.MAX_LENGTH}</msg>") is None


def test_friend_request_text_is_extracted_from_xml() -> None:
    assert hello_of('<msg fromusername="v3_x" content="NTkxNjkwNzE4RDY2" scene="30"/>') == "NTkxNjkwNzE4RDY2"
    assert hello_of("我是<李逵>") == "我是<李逵>"


def test_quoted_person_is_identified() -> None:
    refer = (
        "<refermsg><type>1</type><fromusr>1@chatroom</fromusr><chatusr>wxid_b</chatusr><content>x</content></refermsg>"
    )
    assert read_content(app(57, "好", refer), MessageKind.TEXT).quoted_by == "wxid_b"
    assert read_content(app(57, "好", refer.replace("chatusr", "other")), MessageKind.TEXT).quoted_by == ""
    assert read_content(app(57, "好", refer.replace("1@chatroom", "wxid_a")), MessageKind.TEXT).quoted_by == "wxid_b"


@pytest.mark.parametrize(
    "text",
    [
        app(1, "好", "<extra>加微信</extra>"),
        app(1, "好", "<extra note='加微信'/>"),
        app(1, "好", "<!-- 加微信 -->"),
        app(1, "好", "<![CDATA[加微信]]>"),
        app(1, "好", "<fromusername>加微信</fromusername>"),
        app(1, "好", "<加微信/>"),
        app(1, "好", "&#21152;微信"),
        app(57, "好", "<refermsg><content>x</content></refermsg>加微信"),
        app(57, "好", "<refermsg><content>x</content>加微信</refermsg>"),
        app(57, "好", "<!-- <refermsg> 加微信 --><refermsg><content>x</content></refermsg>"),
        app(5, "好", "<url>加微信</url>"),
        "<msg>加微信<voicemsg/></msg>",
        "<sysmsg type='revokemsg'><revokemsg/>加微信</sysmsg>",
        '"加微信" 撤回了一条消息',
        html.escape(app(1, "好", "<extra>加微信</extra>")),
    ],
)
def test_typed_markup_is_kept(text: str) -> None:
    content = read_content(text, MessageKind.TEXT)
    assert "加微信" not in content.text
    assert "加微信" in typed_words(text, content)


def test_unclosed_markup_is_parsed_in_linear_time() -> None:
    """Each took minutes or more if a pattern looked for the end from every beginning."""
    quote = "<refermsg><content>x</content></refermsg>"
    for filling in ("<refermsg>", "<id>", "<id> ", "http://a.", "user=", "<![CDATA[", "&lt;", "a" * 10):
        text = app(57, "好", f"{quote}<!-- {filling * (190_000 // len(filling))} -->")
        typed_words(text, read_content(text, MessageKind.TEXT))


def test_tags_do_not_match_blocked_words() -> None:
    ids = "<fromusername>wxid_vx1</fromusername><svrid>12vx</svrid><thumburl>http://mmbiz.qpic.cn/vx</thumburl>"
    refer = "<refermsg><content>vx</content><chatusr>wxid_vx2</chatusr></refermsg>"
    text = app(57, "好的", f"{refer}{ids}<emoji aeskey='vx' md5=\"vx\"/>")
    message = typed_words(text, read_content(text, MessageKind.TEXT))
    assert "好的" in message
    assert not any(word in message for word in ("vx", "msg", "title", "http", "CDATA"))
    assert typed_words("加微信", read_content("加微信", MessageKind.TEXT)) == ""


TAGS = ("msg", "appmsg", "sysmsg", "title", "des", "type", "url", "refermsg", "content", "img", "location", "weappinfo")
WORDS = st.text(max_size=20) | st.sampled_from(["57", "33", "2000", "5", "pat", "&nbsp;", "]]>", '"a" 拍了拍我'])


@st.composite
def documents(draw: st.DrawFn, depth: int = 0) -> str:
    tag = draw(st.sampled_from(TAGS))
    attribute = draw(st.sampled_from(["", " username='u' nickname='n'", " type='pat'", " x='1", ' a="&"']))
    parts = draw(st.lists(WORDS.map(html.escape) | WORDS | documents(depth + 1), max_size=4)) if depth < 4 else []
    return f"<{tag}{attribute}>{''.join(parts)}</{tag}>"


CASES = st.sampled_from([QUOTE, PROGRAM, CARD])
CUT = st.tuples(CASES, st.integers(0, 400), st.text(max_size=5)).map(lambda c: c[0][: c[1]] + c[2] + c[0][c[1] + 3 :])


@given(st.text() | documents() | CUT | documents().map(html.escape), st.sampled_from(MessageKind))
def test_any_text_is_parsed(text: str, kind: MessageKind) -> None:
    """The result is bounded in size and can be stored and sent."""
    content = read_content(text, kind)
    assert len(content.text) <= max(len(text), 100)
    assert len(content.quoted) <= len(text)
    for shown in (content.text, content.quoted, content.target, typed_words(clean(text), content)):
        shown.encode()
        assert "\0" not in shown
    assert kind is MessageKind.TEXT or not content.text.startswith("<msg") or content.kind is MessageKind.TEXT
    assert read_content(text, kind) == content
