import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import wrappers_pb2 as _wrappers_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DirtyType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIRTY_UNSPECIFIED: _ClassVar[DirtyType]
    DIRTY_MESSAGE: _ClassVar[DirtyType]
    DIRTY_CONTACT: _ClassVar[DirtyType]
    DIRTY_ROOM: _ClassVar[DirtyType]
    DIRTY_ROOM_MEMBER: _ClassVar[DirtyType]
    DIRTY_FRIENDSHIP: _ClassVar[DirtyType]

class EventType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_UNSPECIFIED: _ClassVar[EventType]
    EVENT_HEARTBEAT: _ClassVar[EventType]
    EVENT_MESSAGE: _ClassVar[EventType]
    EVENT_DONG: _ClassVar[EventType]
    EVENT_POST: _ClassVar[EventType]
    EVENT_ERROR: _ClassVar[EventType]
    EVENT_FRIENDSHIP: _ClassVar[EventType]
    EVENT_ROOM_INVITE: _ClassVar[EventType]
    EVENT_ROOM_JOIN: _ClassVar[EventType]
    EVENT_ROOM_LEAVE: _ClassVar[EventType]
    EVENT_ROOM_TOPIC: _ClassVar[EventType]
    EVENT_SCAN: _ClassVar[EventType]
    EVENT_READY: _ClassVar[EventType]
    EVENT_RESET: _ClassVar[EventType]
    EVENT_LOGIN: _ClassVar[EventType]
    EVENT_LOGOUT: _ClassVar[EventType]
    EVENT_DIRTY: _ClassVar[EventType]
DIRTY_UNSPECIFIED: DirtyType
DIRTY_MESSAGE: DirtyType
DIRTY_CONTACT: DirtyType
DIRTY_ROOM: DirtyType
DIRTY_ROOM_MEMBER: DirtyType
DIRTY_FRIENDSHIP: DirtyType
EVENT_UNSPECIFIED: EventType
EVENT_HEARTBEAT: EventType
EVENT_MESSAGE: EventType
EVENT_DONG: EventType
EVENT_POST: EventType
EVENT_ERROR: EventType
EVENT_FRIENDSHIP: EventType
EVENT_ROOM_INVITE: EventType
EVENT_ROOM_JOIN: EventType
EVENT_ROOM_LEAVE: EventType
EVENT_ROOM_TOPIC: EventType
EVENT_SCAN: EventType
EVENT_READY: EventType
EVENT_RESET: EventType
EVENT_LOGIN: EventType
EVENT_LOGOUT: EventType
EVENT_DIRTY: EventType

class Empty(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class VersionResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: str
    def __init__(self, version: _Optional[str] = ...) -> None: ...

class DingRequest(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: str
    def __init__(self, data: _Optional[str] = ...) -> None: ...

class DirtyPayloadRequest(_message.Message):
    __slots__ = ("type", "id")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    type: int
    id: str
    def __init__(self, type: _Optional[int] = ..., id: _Optional[str] = ...) -> None: ...

class EventResponse(_message.Message):
    __slots__ = ("type", "payload", "relay_number")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    RELAY_NUMBER_FIELD_NUMBER: _ClassVar[int]
    type: int
    payload: str
    relay_number: int
    def __init__(self, type: _Optional[int] = ..., payload: _Optional[str] = ..., relay_number: _Optional[int] = ...) -> None: ...

class Id(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class IdList(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ContactPayloadResponse(_message.Message):
    __slots__ = ("id", "gender", "type", "name", "avatar", "address", "alias", "city", "friend", "province", "signature", "star", "weixin", "corporation", "title", "description", "coworker", "phones")
    ID_FIELD_NUMBER: _ClassVar[int]
    GENDER_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    AVATAR_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    CITY_FIELD_NUMBER: _ClassVar[int]
    FRIEND_FIELD_NUMBER: _ClassVar[int]
    PROVINCE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    STAR_FIELD_NUMBER: _ClassVar[int]
    WEIXIN_FIELD_NUMBER: _ClassVar[int]
    CORPORATION_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    COWORKER_FIELD_NUMBER: _ClassVar[int]
    PHONES_FIELD_NUMBER: _ClassVar[int]
    id: str
    gender: int
    type: int
    name: str
    avatar: str
    address: str
    alias: str
    city: str
    friend: bool
    province: str
    signature: str
    star: bool
    weixin: str
    corporation: str
    title: str
    description: str
    coworker: bool
    phones: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., gender: _Optional[int] = ..., type: _Optional[int] = ..., name: _Optional[str] = ..., avatar: _Optional[str] = ..., address: _Optional[str] = ..., alias: _Optional[str] = ..., city: _Optional[str] = ..., friend: _Optional[bool] = ..., province: _Optional[str] = ..., signature: _Optional[str] = ..., star: _Optional[bool] = ..., weixin: _Optional[str] = ..., corporation: _Optional[str] = ..., title: _Optional[str] = ..., description: _Optional[str] = ..., coworker: _Optional[bool] = ..., phones: _Optional[_Iterable[str]] = ...) -> None: ...

class ContactAliasRequest(_message.Message):
    __slots__ = ("id", "alias_wrapped", "alias")
    ID_FIELD_NUMBER: _ClassVar[int]
    ALIAS_WRAPPED_FIELD_NUMBER: _ClassVar[int]
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    id: str
    alias_wrapped: _wrappers_pb2.StringValue
    alias: str
    def __init__(self, id: _Optional[str] = ..., alias_wrapped: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., alias: _Optional[str] = ...) -> None: ...

class ContactAliasResponse(_message.Message):
    __slots__ = ("alias_wrapped", "alias")
    ALIAS_WRAPPED_FIELD_NUMBER: _ClassVar[int]
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    alias_wrapped: _wrappers_pb2.StringValue
    alias: str
    def __init__(self, alias_wrapped: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., alias: _Optional[str] = ...) -> None: ...

class ContactAvatarRequest(_message.Message):
    __slots__ = ("id", "file_box_wrapped", "file_box")
    ID_FIELD_NUMBER: _ClassVar[int]
    FILE_BOX_WRAPPED_FIELD_NUMBER: _ClassVar[int]
    FILE_BOX_FIELD_NUMBER: _ClassVar[int]
    id: str
    file_box_wrapped: _wrappers_pb2.StringValue
    file_box: str
    def __init__(self, id: _Optional[str] = ..., file_box_wrapped: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., file_box: _Optional[str] = ...) -> None: ...

class ContactAvatarResponse(_message.Message):
    __slots__ = ("file_box_wrapped", "file_box")
    FILE_BOX_WRAPPED_FIELD_NUMBER: _ClassVar[int]
    FILE_BOX_FIELD_NUMBER: _ClassVar[int]
    file_box_wrapped: _wrappers_pb2.StringValue
    file_box: str
    def __init__(self, file_box_wrapped: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., file_box: _Optional[str] = ...) -> None: ...

class ContactPhoneRequest(_message.Message):
    __slots__ = ("contact_id", "phones")
    CONTACT_ID_FIELD_NUMBER: _ClassVar[int]
    PHONES_FIELD_NUMBER: _ClassVar[int]
    contact_id: str
    phones: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, contact_id: _Optional[str] = ..., phones: _Optional[_Iterable[str]] = ...) -> None: ...

class ContactPhoneResponse(_message.Message):
    __slots__ = ("phones",)
    PHONES_FIELD_NUMBER: _ClassVar[int]
    phones: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, phones: _Optional[_Iterable[str]] = ...) -> None: ...

class ContactSelfQRCodeResponse(_message.Message):
    __slots__ = ("qrcode",)
    QRCODE_FIELD_NUMBER: _ClassVar[int]
    qrcode: str
    def __init__(self, qrcode: _Optional[str] = ...) -> None: ...

class ContactSelfNameRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ContactSelfSignatureRequest(_message.Message):
    __slots__ = ("signature",)
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    signature: str
    def __init__(self, signature: _Optional[str] = ...) -> None: ...

class Referrer(_message.Message):
    __slots__ = ("contact_id", "room_id")
    CONTACT_ID_FIELD_NUMBER: _ClassVar[int]
    ROOM_ID_FIELD_NUMBER: _ClassVar[int]
    contact_id: str
    room_id: str
    def __init__(self, contact_id: _Optional[str] = ..., room_id: _Optional[str] = ...) -> None: ...

class FriendshipPayloadRequest(_message.Message):
    __slots__ = ("id", "payload_wrapped", "payload")
    ID_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_WRAPPED_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    id: str
    payload_wrapped: _wrappers_pb2.StringValue
    payload: str
    def __init__(self, id: _Optional[str] = ..., payload_wrapped: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., payload: _Optional[str] = ...) -> None: ...

class FriendshipPayloadResponse(_message.Message):
    __slots__ = ("id", "contact_id", "hello", "type", "stranger", "ticket", "scene")
    ID_FIELD_NUMBER: _ClassVar[int]
    CONTACT_ID_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    STRANGER_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    SCENE_FIELD_NUMBER: _ClassVar[int]
    id: str
    contact_id: str
    hello: str
    type: int
    stranger: str
    ticket: str
    scene: int
    def __init__(self, id: _Optional[str] = ..., contact_id: _Optional[str] = ..., hello: _Optional[str] = ..., type: _Optional[int] = ..., stranger: _Optional[str] = ..., ticket: _Optional[str] = ..., scene: _Optional[int] = ...) -> None: ...

class FriendshipSearchPhoneRequest(_message.Message):
    __slots__ = ("phone",)
    PHONE_FIELD_NUMBER: _ClassVar[int]
    phone: str
    def __init__(self, phone: _Optional[str] = ...) -> None: ...

class FriendshipSearchHandleRequest(_message.Message):
    __slots__ = ("weixin",)
    WEIXIN_FIELD_NUMBER: _ClassVar[int]
    weixin: str
    def __init__(self, weixin: _Optional[str] = ...) -> None: ...

class FriendshipSearchResponse(_message.Message):
    __slots__ = ("contact_id_wrapped", "contact_id")
    CONTACT_ID_WRAPPED_FIELD_NUMBER: _ClassVar[int]
    CONTACT_ID_FIELD_NUMBER: _ClassVar[int]
    contact_id_wrapped: _wrappers_pb2.StringValue
    contact_id: str
    def __init__(self, contact_id_wrapped: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., contact_id: _Optional[str] = ...) -> None: ...

class FriendshipAddRequest(_message.Message):
    __slots__ = ("contact_id", "hello", "source_room_id_wrapped", "source_contact_id_wrapped", "referrer")
    CONTACT_ID_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ROOM_ID_WRAPPED_FIELD_NUMBER: _ClassVar[int]
    SOURCE_CONTACT_ID_WRAPPED_FIELD_NUMBER: _ClassVar[int]
    REFERRER_FIELD_NUMBER: _ClassVar[int]
    contact_id: str
    hello: str
    source_room_id_wrapped: _wrappers_pb2.StringValue
    source_contact_id_wrapped: _wrappers_pb2.StringValue
    referrer: Referrer
    def __init__(self, contact_id: _Optional[str] = ..., hello: _Optional[str] = ..., source_room_id_wrapped: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., source_contact_id_wrapped: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., referrer: _Optional[_Union[Referrer, _Mapping]] = ...) -> None: ...

class UrlLinkPayload(_message.Message):
    __slots__ = ("description", "thumbnail_url", "title", "url")
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    THUMBNAIL_URL_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    description: str
    thumbnail_url: str
    title: str
    url: str
    def __init__(self, description: _Optional[str] = ..., thumbnail_url: _Optional[str] = ..., title: _Optional[str] = ..., url: _Optional[str] = ...) -> None: ...

class MiniProgramPayload(_message.Message):
    __slots__ = ("appid", "description", "page_path", "icon_url", "share_id", "thumb_url", "title", "username", "thumb_key")
    APPID_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    PAGE_PATH_FIELD_NUMBER: _ClassVar[int]
    ICON_URL_FIELD_NUMBER: _ClassVar[int]
    SHARE_ID_FIELD_NUMBER: _ClassVar[int]
    THUMB_URL_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    THUMB_KEY_FIELD_NUMBER: _ClassVar[int]
    appid: str
    description: str
    page_path: str
    icon_url: str
    share_id: str
    thumb_url: str
    title: str
    username: str
    thumb_key: str
    def __init__(self, appid: _Optional[str] = ..., description: _Optional[str] = ..., page_path: _Optional[str] = ..., icon_url: _Optional[str] = ..., share_id: _Optional[str] = ..., thumb_url: _Optional[str] = ..., title: _Optional[str] = ..., username: _Optional[str] = ..., thumb_key: _Optional[str] = ...) -> None: ...

class LocationPayload(_message.Message):
    __slots__ = ("accuracy", "address", "latitude", "longitude", "name")
    ACCURACY_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    LATITUDE_FIELD_NUMBER: _ClassVar[int]
    LONGITUDE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    accuracy: float
    address: str
    latitude: float
    longitude: float
    name: str
    def __init__(self, accuracy: _Optional[float] = ..., address: _Optional[str] = ..., latitude: _Optional[float] = ..., longitude: _Optional[float] = ..., name: _Optional[str] = ...) -> None: ...

class MessagePayloadResponse(_message.Message):
    __slots__ = ("id", "filename", "text", "timestamp_deprecated", "type", "talker_id", "room_id", "listener_id", "mention_ids", "receive_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    FILENAME_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_DEPRECATED_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    TALKER_ID_FIELD_NUMBER: _ClassVar[int]
    ROOM_ID_FIELD_NUMBER: _ClassVar[int]
    LISTENER_ID_FIELD_NUMBER: _ClassVar[int]
    MENTION_IDS_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    filename: str
    text: str
    timestamp_deprecated: int
    type: int
    talker_id: str
    room_id: str
    listener_id: str
    mention_ids: _containers.RepeatedScalarFieldContainer[str]
    receive_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., filename: _Optional[str] = ..., text: _Optional[str] = ..., timestamp_deprecated: _Optional[int] = ..., type: _Optional[int] = ..., talker_id: _Optional[str] = ..., room_id: _Optional[str] = ..., listener_id: _Optional[str] = ..., mention_ids: _Optional[_Iterable[str]] = ..., receive_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class MessageImageRequest(_message.Message):
    __slots__ = ("id", "type")
    ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    id: str
    type: int
    def __init__(self, id: _Optional[str] = ..., type: _Optional[int] = ...) -> None: ...

class FileBoxResponse(_message.Message):
    __slots__ = ("file_box",)
    FILE_BOX_FIELD_NUMBER: _ClassVar[int]
    file_box: str
    def __init__(self, file_box: _Optional[str] = ...) -> None: ...

class MessageMiniProgramResponse(_message.Message):
    __slots__ = ("mini_program_json", "mini_program")
    MINI_PROGRAM_JSON_FIELD_NUMBER: _ClassVar[int]
    MINI_PROGRAM_FIELD_NUMBER: _ClassVar[int]
    mini_program_json: str
    mini_program: MiniProgramPayload
    def __init__(self, mini_program_json: _Optional[str] = ..., mini_program: _Optional[_Union[MiniProgramPayload, _Mapping]] = ...) -> None: ...

class MessageUrlResponse(_message.Message):
    __slots__ = ("url_link_json", "url_link")
    URL_LINK_JSON_FIELD_NUMBER: _ClassVar[int]
    URL_LINK_FIELD_NUMBER: _ClassVar[int]
    url_link_json: str
    url_link: UrlLinkPayload
    def __init__(self, url_link_json: _Optional[str] = ..., url_link: _Optional[_Union[UrlLinkPayload, _Mapping]] = ...) -> None: ...

class MessageLocationResponse(_message.Message):
    __slots__ = ("location",)
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    location: LocationPayload
    def __init__(self, location: _Optional[_Union[LocationPayload, _Mapping]] = ...) -> None: ...

class MessageSendTextRequest(_message.Message):
    __slots__ = ("conversation_id", "text", "mentional_ids")
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MENTIONAL_IDS_FIELD_NUMBER: _ClassVar[int]
    conversation_id: str
    text: str
    mentional_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, conversation_id: _Optional[str] = ..., text: _Optional[str] = ..., mentional_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class MessageSendContactRequest(_message.Message):
    __slots__ = ("conversation_id", "contact_id")
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    CONTACT_ID_FIELD_NUMBER: _ClassVar[int]
    conversation_id: str
    contact_id: str
    def __init__(self, conversation_id: _Optional[str] = ..., contact_id: _Optional[str] = ...) -> None: ...

class MessageSendFileRequest(_message.Message):
    __slots__ = ("conversation_id", "file_box")
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    FILE_BOX_FIELD_NUMBER: _ClassVar[int]
    conversation_id: str
    file_box: str
    def __init__(self, conversation_id: _Optional[str] = ..., file_box: _Optional[str] = ...) -> None: ...

class MessageSendMiniProgramRequest(_message.Message):
    __slots__ = ("conversation_id", "mini_program_json", "mini_program")
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    MINI_PROGRAM_JSON_FIELD_NUMBER: _ClassVar[int]
    MINI_PROGRAM_FIELD_NUMBER: _ClassVar[int]
    conversation_id: str
    mini_program_json: str
    mini_program: MiniProgramPayload
    def __init__(self, conversation_id: _Optional[str] = ..., mini_program_json: _Optional[str] = ..., mini_program: _Optional[_Union[MiniProgramPayload, _Mapping]] = ...) -> None: ...

class MessageSendUrlRequest(_message.Message):
    __slots__ = ("conversation_id", "url_link_json", "url_link")
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    URL_LINK_JSON_FIELD_NUMBER: _ClassVar[int]
    URL_LINK_FIELD_NUMBER: _ClassVar[int]
    conversation_id: str
    url_link_json: str
    url_link: UrlLinkPayload
    def __init__(self, conversation_id: _Optional[str] = ..., url_link_json: _Optional[str] = ..., url_link: _Optional[_Union[UrlLinkPayload, _Mapping]] = ...) -> None: ...

class MessageSendLocationRequest(_message.Message):
    __slots__ = ("conversation_id", "location")
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    conversation_id: str
    location: LocationPayload
    def __init__(self, conversation_id: _Optional[str] = ..., location: _Optional[_Union[LocationPayload, _Mapping]] = ...) -> None: ...

class MessageSendLocationResponse(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class MessageSendResponse(_message.Message):
    __slots__ = ("id_wrapped", "id")
    ID_WRAPPED_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    id_wrapped: _wrappers_pb2.StringValue
    id: str
    def __init__(self, id_wrapped: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., id: _Optional[str] = ...) -> None: ...

class MessageForwardRequest(_message.Message):
    __slots__ = ("message_id", "conversation_id")
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    message_id: str
    conversation_id: str
    def __init__(self, message_id: _Optional[str] = ..., conversation_id: _Optional[str] = ...) -> None: ...

class MessageRecallResponse(_message.Message):
    __slots__ = ("success",)
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    success: bool
    def __init__(self, success: _Optional[bool] = ...) -> None: ...

class FileBoxChunk(_message.Message):
    __slots__ = ("data", "name")
    DATA_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    name: str
    def __init__(self, data: _Optional[bytes] = ..., name: _Optional[str] = ...) -> None: ...

class FileStreamResponse(_message.Message):
    __slots__ = ("file_box_chunk",)
    FILE_BOX_CHUNK_FIELD_NUMBER: _ClassVar[int]
    file_box_chunk: FileBoxChunk
    def __init__(self, file_box_chunk: _Optional[_Union[FileBoxChunk, _Mapping]] = ...) -> None: ...

class MessageSendFileStreamRequest(_message.Message):
    __slots__ = ("conversation_id", "file_box_chunk")
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    FILE_BOX_CHUNK_FIELD_NUMBER: _ClassVar[int]
    conversation_id: str
    file_box_chunk: FileBoxChunk
    def __init__(self, conversation_id: _Optional[str] = ..., file_box_chunk: _Optional[_Union[FileBoxChunk, _Mapping]] = ...) -> None: ...

class Chunk(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    def __init__(self, chunk: _Optional[bytes] = ...) -> None: ...

class RoomPayloadResponse(_message.Message):
    __slots__ = ("id", "topic", "avatar", "owner_id", "admin_ids", "member_ids", "handle")
    ID_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    AVATAR_FIELD_NUMBER: _ClassVar[int]
    OWNER_ID_FIELD_NUMBER: _ClassVar[int]
    ADMIN_IDS_FIELD_NUMBER: _ClassVar[int]
    MEMBER_IDS_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    id: str
    topic: str
    avatar: str
    owner_id: str
    admin_ids: _containers.RepeatedScalarFieldContainer[str]
    member_ids: _containers.RepeatedScalarFieldContainer[str]
    handle: str
    def __init__(self, id: _Optional[str] = ..., topic: _Optional[str] = ..., avatar: _Optional[str] = ..., owner_id: _Optional[str] = ..., admin_ids: _Optional[_Iterable[str]] = ..., member_ids: _Optional[_Iterable[str]] = ..., handle: _Optional[str] = ...) -> None: ...

class RoomAddRequest(_message.Message):
    __slots__ = ("id", "contact_id", "invite_only")
    ID_FIELD_NUMBER: _ClassVar[int]
    CONTACT_ID_FIELD_NUMBER: _ClassVar[int]
    INVITE_ONLY_FIELD_NUMBER: _ClassVar[int]
    id: str
    contact_id: str
    invite_only: bool
    def __init__(self, id: _Optional[str] = ..., contact_id: _Optional[str] = ..., invite_only: _Optional[bool] = ...) -> None: ...

class RoomDelRequest(_message.Message):
    __slots__ = ("id", "contact_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    CONTACT_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    contact_id: str
    def __init__(self, id: _Optional[str] = ..., contact_id: _Optional[str] = ...) -> None: ...

class RoomCreateRequest(_message.Message):
    __slots__ = ("contact_ids", "topic")
    CONTACT_IDS_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    contact_ids: _containers.RepeatedScalarFieldContainer[str]
    topic: str
    def __init__(self, contact_ids: _Optional[_Iterable[str]] = ..., topic: _Optional[str] = ...) -> None: ...

class RoomTopicRequest(_message.Message):
    __slots__ = ("id", "topic_wrapped", "topic")
    ID_FIELD_NUMBER: _ClassVar[int]
    TOPIC_WRAPPED_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    id: str
    topic_wrapped: _wrappers_pb2.StringValue
    topic: str
    def __init__(self, id: _Optional[str] = ..., topic_wrapped: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., topic: _Optional[str] = ...) -> None: ...

class RoomTopicResponse(_message.Message):
    __slots__ = ("topic_wrapped", "topic")
    TOPIC_WRAPPED_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    topic_wrapped: _wrappers_pb2.StringValue
    topic: str
    def __init__(self, topic_wrapped: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., topic: _Optional[str] = ...) -> None: ...

class RoomQRCodeResponse(_message.Message):
    __slots__ = ("qrcode",)
    QRCODE_FIELD_NUMBER: _ClassVar[int]
    qrcode: str
    def __init__(self, qrcode: _Optional[str] = ...) -> None: ...

class RoomAnnounceRequest(_message.Message):
    __slots__ = ("id", "text_wrapped", "text")
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_WRAPPED_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    id: str
    text_wrapped: _wrappers_pb2.StringValue
    text: str
    def __init__(self, id: _Optional[str] = ..., text_wrapped: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., text: _Optional[str] = ...) -> None: ...

class RoomAnnounceResponse(_message.Message):
    __slots__ = ("text_wrapped", "text")
    TEXT_WRAPPED_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text_wrapped: _wrappers_pb2.StringValue
    text: str
    def __init__(self, text_wrapped: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., text: _Optional[str] = ...) -> None: ...

class RoomMemberPayloadRequest(_message.Message):
    __slots__ = ("id", "member_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    member_id: str
    def __init__(self, id: _Optional[str] = ..., member_id: _Optional[str] = ...) -> None: ...

class RoomMemberPayloadResponse(_message.Message):
    __slots__ = ("id", "room_alias", "inviter_id", "avatar", "name")
    ID_FIELD_NUMBER: _ClassVar[int]
    ROOM_ALIAS_FIELD_NUMBER: _ClassVar[int]
    INVITER_ID_FIELD_NUMBER: _ClassVar[int]
    AVATAR_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    id: str
    room_alias: str
    inviter_id: str
    avatar: str
    name: str
    def __init__(self, id: _Optional[str] = ..., room_alias: _Optional[str] = ..., inviter_id: _Optional[str] = ..., avatar: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class RoomMemberListResponse(_message.Message):
    __slots__ = ("member_ids",)
    MEMBER_IDS_FIELD_NUMBER: _ClassVar[int]
    member_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, member_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class RoomInvitationPayloadRequest(_message.Message):
    __slots__ = ("id", "payload_wrapped", "payload")
    ID_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_WRAPPED_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    id: str
    payload_wrapped: _wrappers_pb2.StringValue
    payload: str
    def __init__(self, id: _Optional[str] = ..., payload_wrapped: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., payload: _Optional[str] = ...) -> None: ...

class RoomInvitationPayloadResponse(_message.Message):
    __slots__ = ("id", "inviter_id", "topic", "member_count", "member_ids", "timestamp_deprecated", "avatar", "invitation", "receiver_id", "receive_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    INVITER_ID_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    MEMBER_COUNT_FIELD_NUMBER: _ClassVar[int]
    MEMBER_IDS_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_DEPRECATED_FIELD_NUMBER: _ClassVar[int]
    AVATAR_FIELD_NUMBER: _ClassVar[int]
    INVITATION_FIELD_NUMBER: _ClassVar[int]
    RECEIVER_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    inviter_id: str
    topic: str
    member_count: int
    member_ids: _containers.RepeatedScalarFieldContainer[str]
    timestamp_deprecated: int
    avatar: str
    invitation: str
    receiver_id: str
    receive_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., inviter_id: _Optional[str] = ..., topic: _Optional[str] = ..., member_count: _Optional[int] = ..., member_ids: _Optional[_Iterable[str]] = ..., timestamp_deprecated: _Optional[int] = ..., avatar: _Optional[str] = ..., invitation: _Optional[str] = ..., receiver_id: _Optional[str] = ..., receive_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TagContactRequest(_message.Message):
    __slots__ = ("id", "contact_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    CONTACT_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    contact_id: str
    def __init__(self, id: _Optional[str] = ..., contact_id: _Optional[str] = ...) -> None: ...

class TagContactListRequest(_message.Message):
    __slots__ = ("contact_id_wrapped", "contact_id")
    CONTACT_ID_WRAPPED_FIELD_NUMBER: _ClassVar[int]
    CONTACT_ID_FIELD_NUMBER: _ClassVar[int]
    contact_id_wrapped: _wrappers_pb2.StringValue
    contact_id: str
    def __init__(self, contact_id_wrapped: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., contact_id: _Optional[str] = ...) -> None: ...
