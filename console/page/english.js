// The English translations of the page's texts, one pair a line; the rest is in english-more.js.
import { MORE } from "./english-more.js";

const PAIRS = `
填写的内容不完整或无效。|Something is missing or not valid.
没有权限。|You may not do this.
登录已过期。|You have been logged out.
内容已不存在。|It does not exist any more.
文件太大了（最多 20 MB）。|The file is too large (20 MB at most).
操作太频繁，请稍后再试。|Too many requests. Please try again later.
助手不在线，请稍后再试。|The assistant is offline. Please try again later.
微信没有接受这个操作，请稍后再试。|WeChat did not accept this. Please try again later.
数据库暂不可用，请稍后再试。|The database is unavailable. Please try again later.
连接断开了，正在重试…|The connection is lost. Trying again…
连接断开了，请稍后再试。|The connection is lost. Please try again later.
出错了（{n}）|Something went wrong ({n})
无法读取文件。|The file cannot be read.
日期|Day
概览|Overview
客服|Support
群|Groups
知识|Knowledge
群发|Broadcasts
对接|Integrations
记录|Records
设置|Settings
页面|Pages
微信智能服务助手|wxbot
{n} 个等待接待|{n} waiting
连接断开了，正在重新连接…|The connection is lost. Reconnecting…
管理员|Admin
浅色|Light
深色|Dark
退出|Log out
登录管理后台|Log in to the console
请在微信里对助手说 /登录，然后打开它回复的链接。|Send /登录 to the assistant in WeChat and open the link in its reply.
管理员和客服群的成员可以登录。还没有管理员时，链接在启动 wxbot 的终端上。|Admins and members of the staff room can log in. While there is no admin, the link is on the terminal that wxbot was started from.
在线|Online
同步中|Syncing
连接中|Connecting
令牌被拒绝|Token refused
未登录|Logged out
等待中|Waiting
进行中|Open
已结束|Closed
排队中|Queued
发送中|Sending
已发送|Sent
失败|Failed
结果未知|Unknown
正常|Active
尚未建成|Not created yet
已不在群里|Removed from it
完成|Done
等待回答|Waiting for an answer
调用中|Calling
已邀请|Invited
未确认|Unconfirmed
正在读取…|Loading…
再试一次|Try again
显示更多|Show more
操作|Actions
取消|Cancel
已重新排队发送|Queued again
它没有失败，无需重发|It has not failed; nothing was sent again
结束这个流程？对方会收到通知。|End this flow? The person is notified.
结束|Close
通知地址|Webhooks
等待 {n}|{n} waiting
配置文件里还没有 webhooks。|There are no webhooks in the config file yet.
业务系统|Business systems
配置文件里还没有 systems。|There are no systems in the config file yet.
进行中的流程|Running flows
没有进行中的流程。|No flows are running.
流程|Flow
发起人|Started by
步骤|Step
状态|State
开始|Started
通知|Deliveries
没有失败的通知。|No delivery has failed.
没有。|None.
地址|Address
类型|Type
次数|Times
时间|Time
重发|Resend
所有状态|All states
查找群名或代码|Find a name or code
没有找到。|Nothing found.
还没有群。业务系统请求建群后会出现在这里。|No groups yet. They appear here once a business system asks for one.
编号|Number
群名|Name
群主|Owner
人数|Members
助手|Assistant
建立|Created
返回列表|Back to the list
关闭这个群？助手会告知群员并退群，不能撤销。|Close this group? The assistant notifies its members and leaves. This cannot be undone.
关闭群|Close group
近 14 天|Last 14 days
消息|Messages
入群|Joined
退群|Left
群信息|Details
代码|Code
入群链接|Link
入群令牌|Join token
入群二维码|QR code to join
换令牌？旧的令牌马上作废。|Change the token? The old one stops working at once.
换令牌|Change token
令牌已更换|The token was changed
文字|Texts
群公告（会通知所有人）|Announcement (notifies everyone)
欢迎语（留空用配置里的）|Welcome (empty: as in the config)
已保存|Saved
保存|Save
放弃修改|Discard
屏蔽词|Blocked words
删除 {word}|Delete {word}
这个群没有自己的屏蔽词|This group has no words of its own
新的屏蔽词|New blocked word
添加|Add
黑名单|Blacklist
已解除拉黑|Removed from the blacklist
解除|Remove
没有人|Nobody
群员|Members
群员状态|State of members
在群里|In the group
等待加好友|Waiting to become a friend
已退群|Left
被移出|Removed
昵称|Name
微信标识|WeChat id
警告|Warn
把 {name} 移出群？|Remove {name} from the group?
移出|Remove
拉黑 {name} 并移出群？|Blacklist and remove {name}?
拉黑|Blacklist
转人工|Handed over to staff
关键词|Keywords
问答|Questions
列出相近的问题供客户选择|Similar questions are offered
由语言模型从问答里选|The language model chooses an entry
没听懂时的回答|Fallback
不回答|No answer
等于|equals
包含|contains
正则|regex
待补充|Unanswered
添加关键词|Add keyword
添加问答|Add question
视图|View
试一试|Try a sentence
客户可能发送的消息|A message that a customer might send
测试|Test
近 30 天没有未能回答的问题。|Every question of the last 30 days was answered.
客户问过|Customers asked
回答|Answer
删除这条问答？|Delete this question?
删除|Delete
已删除|Deleted
还没有问答。|No questions yet.
问题|Question
修改|Edit
删除这个关键词？|Delete this keyword?
还没有关键词。|No keywords yet.
规则|Rule
词|Word
回复|Reply
已导入|Imported
导出 YAML|Export YAML
导入 YAML|Import YAML
修改问答|Edit question
修改关键词|Edit keyword
问题，每行一种问法|Questions, one wording per line
适用范围|Scope
私聊和群里|In private and in groups
只在私聊|In private only
只在群里（@助手时）|In groups only (when mentioned)
群发与定时|Broadcasts & schedule
定时|Timed
新的定时消息|New timed message
新的群发|New broadcast
还没有群发。|No broadcasts yet.
内容|Text
用户|User
创建者|Created by
操作者|Actor
[图片或文件]|[picture or file]
结果|Result
群发结果|Result of the broadcast
关闭|Close
查找群|Find a group
已排队发送|Queued
所有群|All groups
{n} 个群|{n} groups
确认群发|Confirm the broadcast
发给|To
立即，按限速逐个发送|Now, within the rate limits
返回修改|Back
确认发送|Send
选择群|Chosen groups
什么时候（留空为现在）|When (empty: now)
预览|Preview
删除这条定时消息？|Delete this timed message?
还没有定时消息。|No timed messages yet.
时间表|Schedule
下一次|Next
重复|Repeat
每天|Every day
周一到周五|Monday to Friday
周末|Weekends
每周一|Every Monday
建群|Groups created
拉人|People added
通过好友|Friends accepted
等待接待|Waiting
今日群消息|Group messages today
今日入群|Joined today
退群 {n}|{n} left
待发送|To be sent
群消息|Group messages
入群与退群，30 天|Joins and leaves, 30 days
入群与退群|Joins and leaves
工单，30 天|Tickets, 30 days
工单|Tickets
新工单|New tickets
好友|Friends
客服群|Staff room
还没有绑定|Not bound yet
{kind} 已用的频率|Rate limit used: {kind}
请用微信扫码登录|Scan with WeChat to log in
登录二维码|Login QR code
等待管理员扫码登录|Waiting for an admin to scan the code
操作类型|Action
起始时间|Since
导出 CSV|Export CSV
对象|Target
详情|Details
全部|All
已添加|Added
{name} 不再是管理员？|Remove {name} as an admin?
移除|Remove
已移除|Removed
配置文件|config file
还没有管理员：向助手发送终端上的绑定码即可成为管理员。|No admin yet: send the code on the terminal to the assistant to become one.
微信号或微信标识|WeChat account or id
微信号或微信标识（须是助手的好友）|WeChat account or id of a friend
客服人员|Staff
已退出|Ended
登录|Sessions
登录于|Logged in
最近使用|Last seen
（本次登录）|(this session)
当前配置|Current configuration
预览重新加载的更改|Preview a reload
将更新：{what}|Will change: {what}
没有变化。|No changes.
需要重启才能生效：{what}|These need a restart: {what}
重新加载|Reload
`;

export const EN = Object.fromEntries(`${PAIRS.trim()}\n${MORE.slice(1, -1)}`.split("\n").map((line) => line.split("|")));
