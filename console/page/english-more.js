// English translations of the texts of the records, the settings and the forms, one pair a line.
export const MORE = `
，|, 
：|: 
、|, 
引用资料|A passage of the documents
还没有数据|No data yet
{n} 天|{n} days
未保存|not saved
有修改还没有保存|There are unsaved changes
放弃没有保存的内容？|Discard what is not saved?
放弃|Discard
{account} 已离线（{t}）|{account} has been offline since {t}
已离线：{t}|Offline since {t}
等待最久：{t}|Longest: {t}
未结束的工单|Open tickets
今日新增 {n}|{n} new today
待发送的消息|Messages to be sent
失败的通知|Failed deliveries
消息，30 天|Messages, 30 days
助手发出|Sent by assistants
已回复|Answered
首次回复用时，30 天|Time to first answer, 30 days
首次回复用时|Time to first answer
中位数|Median
频率用量峰值，30 天|Peak of the rate limits used, 30 days
频率用量峰值|Peak of the rate limits used
当前频率用量|Rate limits used now
{n} 秒|{n} s
{n} 分|{n} min
{n} 时|{n} h
上线|Online since
启动时|the start
已扫码，请在手机上确认登录|Scanned. Confirm on the phone
二维码已过期，正在等待新的二维码|Expired. Waiting for a new code
所有群的屏蔽词|Words blocked in all groups
还没有所有群的屏蔽词|No words are blocked in all groups yet
配置文件里的屏蔽词|Words of the config file
警告 {name}？群里会看到。|Warn {name}? The group will see it.
添加群员|Add member
不受管理|Exempt
已入群|Added
等待群主同意|Waiting for the owner
群里没有看到|Not seen in the group
已邀请，等待对方或群主确认|Invited. They, or the owner, must confirm
还不是好友，成为好友后会自动入群|Not a friend yet; will be added once they are
已排队|Queued
查找好友|Find a friend
查找好友：昵称、备注或微信号|Find a friend by name, remark or account
还有 {n} 位，输入名字查找。|{n} more. Type a name to find them.
选择好友|Chosen friends
{n} 位好友|{n} friends
好友|Friends
或者发一张图片、一个文件|Or send a picture or a file
改发文字|Send text instead
这个时间已经过去了。|This time has passed.
只能预约一年以内的时间。|The time must be within one year.
取消发送|Stop sending
取消这次群发？还没有发出的不再发送，已经发出的收不回来。|Cancel this broadcast? What has not been sent is not sent any more; what has been sent stays.
已取消，{n} 条不再发送|Cancelled: {n} messages are not sent
已经全部发出，没有可取消的|Everything has been sent; there is nothing to cancel
已取消|Cancelled
资料|Documents
标题|Title
文件|File
来自配置的资料文件夹，改文件后在设置里重新加载。|From the folder of documents in the config. After a change of its files, reload in the settings.
还没有资料：在配置里用 customer_service.knowledge 指定一个文件夹。|No documents yet: name a folder in the config, customer_service.knowledge.
更多|More
警告次数|Warnings
工单 #{n}|Ticket #{n}
群发 #{n}|Broadcast #{n}
消息 #{n}|Message #{n}
通知 #{n}|Delivery #{n}
流程 #{n}|Flow #{n}
问答 #{n}|Question #{n}
定时消息 #{n}|Timed message #{n}
进程|Process
没有进程持有|No process holds it
定时发送|Scheduled
取消群发|Broadcast cancelled
已发送 {sent}，失败 {failed}，共 {all}|{sent} sent, {failed} failed, of {all}
每周二|Every Tuesday
每周三|Every Wednesday
每周四|Every Thursday
每周五|Every Friday
每周六|Every Saturday
每周日|Every Sunday
添加快捷回复|Add canned reply
修改快捷回复|Edit canned reply
名称，不含空格和 /|Name, without blanks and /
名称|Name
还没有快捷回复。|No canned replies yet.
删除这条快捷回复？|Delete this canned reply?
客服在工单里选用，或在客服群里写 #工单号 /名称。|Staff choose them in a ticket, or write #NUMBER /NAME in the staff room.
查找|Find
操作者或对象|Actor or target
操作者或对象：昵称、微信标识、编号|Actor or target: name, id or number
所有操作|All actions
从|Since
接收者|Recipient
接收者：昵称、群名或标识|Recipient: name, group or id
改前|Before
改后|After
理由|Reason
数量|Count
已更新|Changed
需重启|Needs a restart
群数|Groups
好友数|Friends
设为|Set to
自动|automatic
群管理|moderation
定时任务|job
接口|API
系统信号|signal
绑定码|code
终端|terminal
{name}（后台）|{name} (console)
配置的流程|Configured flows
所有人|everyone
说“{word}”开始|starts with “{word}”
配置文件里还没有 flows。|There are no flows in the config file yet.
结束流程|End flow
添加助手|Add assistant
名称（业务系统用它指明助手）|Name (business systems use it)
网关地址（host:port）|Gateway (host:port)
网关令牌|Gateway token
使用|Yes
不使用|No
来自|From
后台或接口添加|added at run time
选择客服群|Choose staff room
退出微信|Log out of WeChat
已退出微信|Logged out of WeChat
让 {account} 退出微信？之后要扫码才能再登录。|Log {account} out of WeChat? To log in again its code must be scanned.
移除助手 {account}？它的群和消息记录会保留。|Remove {account}? Its groups and messages are kept.
把“{topic}”设为客服群？群里的 {members} 人都能以客服身份登录后台、回复客户。|Make “{topic}” the staff room? All {members} members may log in as staff and answer customers.
设为客服群|Make staff room
已绑定|Bound
{n} 人|{n} members
现在的客服群|Staff room
还有更多，输入群名查找。|There are more. Type a name to find them.
还没有客服群：在群里发送 /绑定客服群，或在上面选一个群|No staff room yet: send /绑定客服群 in a group, or choose one above
已重新加载：{what}|Reloaded: {what}
添加管理员|Admin added
移除管理员|Admin removed
改备注名|Remark
发群公告|Announcement
改回群公告|Announcement restored
设置助手|Assistant set
移除助手|Assistant removed
添加屏蔽词|Blocked word added
删除屏蔽词|Blocked word removed
改快捷回复|Canned reply
删除快捷回复|Canned reply removed
取登录链接|Login link
登录后台|Console login
退出后台|Console logout
接受入群邀请|Invitation accepted
解除拉黑|Removed from the blacklist
改关键词|Keyword
删除关键词|Keyword removed
导入关键词|Keywords imported
重发消息|Message resent
改问答|Question
删除问答|Question removed
导入问答|Questions imported
重新加载配置|Config reloaded
移出群|Removed from group
设置日报|Daily report
绑定客服群|Staff room bound
分配工单|Ticket assigned
结束工单|Ticket closed
重新打开工单|Ticket reopened
回复客户|Customer answered
添加定时消息|Timed message added
删除定时消息|Timed message removed
改群名|Group renamed
改回群名|Group name restored
认领群|Group recognised
重发通知|Delivery resent
改欢迎语|Welcome
拉人入群|Added to group
对话|Conversation
{name} 正在输入…|{name} is writing…
{name} 也在看这个工单|{name} is looking at this ticket, too
客户|Customer
由 {staff} 接待|Assigned to {staff}
无人接待|Unassigned
评分 {mark}|Rated {mark}
已由您接待|Assigned to you
我来接待|Assign to me
转给|Transfer to
把这个工单转给{name}？|Transfer this ticket to {name}?
转交|Transfer
已转交|Transferred
转给…|Transfer to…
已重新打开|Reopened
重新打开|Reopen
结束这个工单？客户会被请求评分。|Close this ticket? The customer is asked for a rating.
对话内容|Messages
显示更早的消息|Show earlier messages
还没有消息。|No messages yet.
备注 · {name}|Note · {name}
图片|Picture
语音|Voice message
视频|Video
表情|Sticker
名片|Contact card
链接|Link
小程序|Mini-program
位置|Location
聊天记录|Chat history
转账|Transfer
红包|Red packet
撤回了一条消息|Message recalled
拍一拍|Pat
其他消息|Other message
文件|File
备注|Note
只有同事看得到|Only staff can see this
回复客户，Ctrl+Enter 发送|Reply to the customer; Ctrl+Enter sends
写备注|Note
图片或文件|Picture or file
快捷回复|Canned replies
快捷回复…|Canned replies…
保存备注|Save note
发送|Send
微信号|WeChat account
工单开始|Opened
备注名|Remark
保存备注名|Save remark
所在的群|Groups
不在任何群里|In no group
以前的工单|Earlier tickets
没有以前的工单|No earlier tickets
待接待|Waiting
我的|Mine
筛选工单|Filter tickets
查找客户或编号|Find a customer or number
没有等待的客户。|No customer is waiting.
这里还没有工单。客户说“人工”就会出现在这里。|No tickets here yet. They appear when a customer says “人工”.
选一个工单，看对话。|Choose a ticket.
刚刚|just now
{n} 分钟前|{n} min ago
{n} 小时前|{n} h ago
{n} 天前|{n} d ago
`;
