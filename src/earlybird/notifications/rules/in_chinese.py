"""What is said in Chinese (simplified): subject and body of each kind."""

from __future__ import annotations

from earlybird.notifications.states import MessageKind as K

WORDS = {
    K.one_time_code: (
        "您的登录验证码",
        "$code 是您的 Earlybird 登录验证码，$minutes 分钟内有效。我们不会向您索要验证码，请勿告诉他人。",
    ),
    K.invitation: (
        "您在 $business 的账户",
        (
            "$name，您好：\n\n$business 已为您开通账户，可查看日历、配送和账单。\n"
            "请在此设置密码：\n\n$link\n\n此链接仅可使用一次，有效期至 $until。"
        ),
    ),
    K.sign_in_link: (
        "您的登录链接",
        "请在此登录：\n\n$link\n\n此链接仅可使用一次，$minutes 分钟内有效。如果不是您本人申请，请忽略。",
    ),
    K.password_reset: (
        "设置新密码",
        (
            "有人（可能是您）申请了新密码。请在此设置：\n\n$link\n\n"
            "此链接仅可使用一次，$minutes 分钟内有效。如果不是您本人申请，请忽略，您的密码不会改变。"
        ),
    ),
    K.password_changed: (
        "您的密码已更改",
        "您的账户密码已更改，其他设备均已退出登录。如果不是您本人操作，请立即申请新密码。",
    ),
    K.order_confirmed: (
        "您的订单 $order",
        "【$business】已收到您 $date 的订单 $order：$items。金额：$amount。",
    ),
    K.out_for_delivery: (
        "您的订单正在配送",
        "【$business】您 $date 的商品正在配送途中：$items。",
    ),
    K.delivered: (
        "$date 已送达",
        "【$business】$date 已送达：$items。",
    ),
    K.partially_delivered: (
        "$date 部分送达",
        "【$business】$date 已送达：$items。部分商品未能送达，您只需支付已收到的商品。",
    ),
    K.not_delivered: (
        "$date 未能送达",
        "【$business】$date 未能送达：$items。此次不收费。",
    ),
    K.pause_set: (
        "$since 至 $until 暂停配送",
        "【$business】$since 至 $until 暂停配送：$items。",
    ),
    K.pause_open: (
        "$since 起暂停配送",
        "【$business】自 $since 起暂停配送，直至您恢复：$items。",
    ),
    K.pause_ended: (
        "$since 起恢复配送",
        "【$business】自 $since 起恢复配送：$items。",
    ),
    K.bill_issued: (
        "您的账单 $number",
        "【$business】您 $first 至 $last 的账单 $number，金额 $amount。请于 $due 前付款。",
    ),
    K.payment_received: (
        "已收到付款",
        "【$business】已于 $date 收到您的付款 $amount。谢谢。",
    ),
    K.payment_reminder: (
        "付款提醒",
        "【$business】您有 $amount 尚未支付，应付日期为 $due。如您已付款，请忽略此消息。",
    ),
}
