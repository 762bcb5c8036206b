"""Everyday words of customer service that mean the same, for finding similar questions by words. No I/O.

The list is not specific to an industry. The phrases of a line share a concept; a phrase may have several.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

_GROUPS: Final = """
# money
多少钱 价格 价钱 价位 什么价 啥价 怎么卖 怎么收费 收费 费用 贵不贵 贵吗 太贵 花多少 收多少 多少费 几块 几元 要钱 \
收钱 单价 报价 标准是多少 给钱
免费 不要钱 不收费 不收钱 白送 赠送 包邮 要收费
优惠 打折 折扣 便宜 活动 促销 特价 满减 代金券 优惠券 团购 划算 会员价
付款 支付 付钱 缴费 交费 交钱 缴纳 付费 刷卡 转账 打款 汇款 扫码付 支付宝 微信支付 信用卡 结账 买单 怎么交 怎么付 分期
押金 保证金 订金 定金 押钱 预付
退款 退钱 退费 钱退 退给我 退回来 还钱 返还 退还 折现 原路退 退押金
到账 收到钱 打到 退回来 钱到
发票 开票 票据 报销 专票 普票 抬头 税号 电子票 开个票 要票
赔 赔偿 理赔 保险 保价 补偿 保障 负责吗
# time and place
营业时间 几点开门 几点关门 开门 关门 开放时间 开放 几点上班 几点下班 上班时间 下班 营业 开着 休息 周末 节假日 放假 \
几点到几点 最早几点 最晚几点
多久 多长时间 几天 几个小时 要几天 多少天 多快 要等多久 时效
延期 延迟 推迟 延长 晚点 晚一点 缓一缓 迟到 迟一点
提前 早点 早一点 预先 事先
地址 在哪里 在哪儿 在哪 位置 怎么走 怎么过来 怎么去 怎么来 什么地方 地点 路线 导航 哪条路 门店 分店
远 多远 公里 距离 附近 近不近 打车 地铁 公交 车站 高铁 火车站 机场
停车 停车场 车位 车库 开车 泊车
其他店 分店 别的店 门店 换个店 换家店 几家店 通用 连锁
# asking for, changing and ending things
预约 预订 预定 订位 报名 登记 挂号 排队 订 排号 名额 位子
取消 不要了 不想要 撤销 撤单 退订 退掉 不来了 去不了 来不了 不去了 不做了 不能来 撤掉 作罢
修改 更改 更换 变更 改成 换成 填错 写错 弄错 错了
改时间 改期 改约 换时间 换个时间 改天 改日 换一天
办理 申请 手续 流程 步骤 开通 注册
退货 退换 换货 退回 寄回 七天无理由 不合适 不想要
续费 续期 续约 到期 过期 延长 有效期 快到了
暂停 冻结 请假 停用 挂起
转让 过户 转给 给别人 卖给 送给 送人 换人
会员 会员卡 办卡 年卡 月卡 充值 入会 储值 开卡
积分 兑换 分数 抵现
密码 登录 登不上 登不进 账号 忘记密码 验证码 登陆
试试 体验 试用 试吃 试听 试穿 先看看
# goods and delivery
发货 寄出 发出 邮寄 快递 发走 寄出来 出库
物流 快递 包裹 单号 运单 到哪了 派送 配送 送货 查件
运费 邮费 快递费 包邮 邮资 运输费
没收到 收不到 没到 还没来 还没到 没有收到 没送到 不来 没来
坏 坏了 损坏 破损 破了 碎 裂 质量 故障 失灵 不动 不能用 用不了 没反应 有问题 开裂
维修 修理 报修 师傅 上门 检修 售后
丢 丢失 丢了 不见了 找不到 遗失 遗落 落在 忘在 忘带 弄丢 没了 捡到 失物
少了 漏发 发错 错发 不是我买的 少发
安装 调试 装上 接上 组装
尺寸 大小 尺码 规格 型号 多大 多重 超重
# people and things that come along
孩子 小孩 儿童 宝宝 小朋友 未成年 学生 高中生 初中生 小学生 娃 婴儿 多大可以
老人 老年 父母 爸妈 长辈 老年人
朋友 同伴 家人 家属 同事 室友 带人 一起来 陪 对象 老公 老婆 客人 访客 来客
宠物 狗 猫 狗狗 猫咪 小狗
行李 箱子 寄存 存放 包 储物 柜子 放哪 先放 看着
# on the premises
早餐 早饭 早点 餐 午餐 晚餐 饭 吃饭 用餐 餐厅 外卖
洗澡 淋浴 浴室 热水 沐浴 冲凉
洗衣 清洗 衣服 脏
厕所 卫生间 洗手间 马桶
网络 无线 无线网 wifi 上网 联网 连网 断网 没网 连不上
抽烟 吸烟 烟 禁烟
噪音 噪声 太吵 扰民 隔音
暖气 空调 供暖 温度 不热
会议 会议室 开会 培训 场地 包场
游泳 泳池
锻炼 健身 健身房 跑步机
减肥 减脂 瘦
充电 充电桩 没电 电瓶
课程 上课 老师 教练 培训班 私教 一对一
疼 痛 不舒服 难受 出血
受伤 伤 拉伤 扭 流血 急救
过敏 副作用 安全 危险 有害 孕妇 怀孕
# reaching people
电话 联系 联系方式 手机号 号码 热线 微信号 怎么找
投诉 举报 态度 反映 意见 服务差 差评 骂
合作 批发 代理 公司 企业 单位 合同 月结 对公
群 进群 入群 拉群 加群 拉我
证件 身份证 护照 材料 资料 要带什么 带什么 证明
资质 正规 正品 执照 保证 真假 假货
不会用 怎么用 使用方法 怎么使用 说明书 教程 用法 用不了
"""


def _concepts_of() -> dict[str, frozenset[str]]:
    """Return the concepts of each phrase."""
    numbers_by_phrase: defaultdict[str, set[str]] = defaultdict(set)
    for number, group in enumerate(_GROUPS.splitlines()):
        for phrase in () if group.startswith("#") else group.split():
            numbers_by_phrase[phrase].add(f"~{number}")
    return {phrase: frozenset(numbers) for phrase, numbers in numbers_by_phrase.items()}


def _lengths_of() -> dict[str, list[int]]:
    """Return the lengths of the phrases by their first character, longest first."""
    lengths_by_first: defaultdict[str, set[int]] = defaultdict(set)
    for phrase in _CONCEPTS:
        lengths_by_first[phrase[0]].add(len(phrase))
    return {first: sorted(lengths, reverse=True) for first, lengths in lengths_by_first.items()}


_CONCEPTS: Final = _concepts_of()
_LENGTHS: Final = _lengths_of()


def concepts(text: str) -> set[str]:
    """Return the concepts that a normalised text mentions.

    At each character the longest phrase counts; a phrase that begins within a longer one counts as well.
    """
    result: set[str] = set()
    for start, first in enumerate(text):
        for length in _LENGTHS.get(first, ()):
            if (phrase := text[start : start + length]) in _CONCEPTS:
                result |= _CONCEPTS[phrase]
                break
    return result
