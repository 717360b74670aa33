"""What is said in English: subject and body of each kind."""

from __future__ import annotations

from earlybird.notifications.states import MessageKind as K

WORDS = {
    K.one_time_code: (
        "Your sign-in code",
        "$code is your Earlybird sign-in code. It is good for $minutes minutes. Nobody from us will ask you for it.",
    ),
    K.invitation: (
        "Your account at $business",
        (
            "Hello $name,\n\n$business has made an account for you: your calendar, deliveries and bills.\n"
            "Choose a password here:\n\n$link\n\nThe link works once, until $until."
        ),
    ),
    K.sign_in_link: (
        "Your sign-in link",
        "Sign in here:\n\n$link\n\nThe link works once, for $minutes minutes. If you did not ask for it, do nothing.",
    ),
    K.password_reset: (
        "Choose a new password",
        (
            "Somebody, probably you, asked for a new password. Choose it here:\n\n$link\n\n"
            "The link works once, for $minutes minutes. If it was not you, do nothing: your password stays as it is."
        ),
    ),
    K.password_changed: (
        "Your password was changed",
        (
            "The password of your account was changed, and you were signed out everywhere else. "
            "If it was not you, ask for a new password at once."
        ),
    ),
    K.order_confirmed: (
        "Your order $order",
        "$business: we have your order $order for $date: $items. Amount: $amount.",
    ),
    K.out_for_delivery: (
        "Your delivery is on its way",
        "$business: your delivery of $date is on its way: $items.",
    ),
    K.delivered: (
        "Delivered on $date",
        "$business: delivered on $date: $items.",
    ),
    K.partially_delivered: (
        "Delivered in part on $date",
        (
            "$business: delivered on $date: $items. Some of what you ordered could not be handed over; "
            "you pay only for what you got."
        ),
    ),
    K.not_delivered: (
        "Not delivered on $date",
        "$business: we could not deliver on $date: $items. You do not pay for it.",
    ),
    K.pause_set: (
        "Paused from $since to $until",
        "$business: no delivery from $since to $until: $items.",
    ),
    K.pause_open: (
        "Paused from $since",
        "$business: no delivery from $since until you resume: $items.",
    ),
    K.pause_ended: (
        "Deliveries go on from $since",
        "$business: we deliver again from $since: $items.",
    ),
    K.bill_issued: (
        "Your bill $number",
        "$business: your bill $number for $first to $last is $amount. Please pay by $due.",
    ),
    K.payment_received: (
        "Payment received",
        "$business: we received $amount on $date. Thank you.",
    ),
    K.payment_reminder: (
        "Payment reminder",
        "$business: $amount is open and was due by $due. If you have paid meanwhile, please ignore this message.",
    ),
}
