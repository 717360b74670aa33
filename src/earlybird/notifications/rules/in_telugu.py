"""What is said in Telugu: subject and body of each kind."""

from __future__ import annotations

from earlybird.notifications.states import MessageKind as K

WORDS = {
    K.one_time_code: (
        "మీ సైన్-ఇన్ కోడ్",
        "$code మీ Earlybird సైన్-ఇన్ కోడ్. ఇది $minutes నిమిషాలు చెల్లుతుంది. దీన్ని ఎవరికీ చెప్పకండి.",
    ),
    K.invitation: (
        "$business లో మీ ఖాతా",
        (
            "నమస్తే $name,\n\n$business మీ కోసం ఒక ఖాతా తెరిచింది: మీ క్యాలెండర్, డెలివరీలు, బిల్లులు.\n"
            "మీ పాస్‌వర్డ్‌ను ఇక్కడ ఎంచుకోండి:\n\n$link\n\nఈ లింక్ ఒక్కసారి మాత్రమే పనిచేస్తుంది, $until వరకు."
        ),
    ),
    K.sign_in_link: (
        "మీ సైన్-ఇన్ లింక్",
        "ఇక్కడ సైన్ ఇన్ చేయండి:\n\n$link\n\nఈ లింక్ ఒక్కసారి మాత్రమే, $minutes నిమిషాలు పనిచేస్తుంది. మీరు అడగకపోతే, ఏమీ చేయకండి.",
    ),
    K.password_reset: (
        "కొత్త పాస్‌వర్డ్‌ను ఎంచుకోండి",
        (
            "ఎవరో, బహుశా మీరే, కొత్త పాస్‌వర్డ్ అడిగారు. దాన్ని ఇక్కడ ఎంచుకోండి:\n\n$link\n\n"
            "ఈ లింక్ ఒక్కసారి మాత్రమే, $minutes నిమిషాలు పనిచేస్తుంది. మీరు అడగకపోతే, ఏమీ చేయకండి."
        ),
    ),
    K.password_changed: (
        "మీ పాస్‌వర్డ్ మార్చబడింది",
        "మీ ఖాతా పాస్‌వర్డ్ మార్చబడింది, మిగతా అన్ని చోట్ల మీరు సైన్ అవుట్ అయ్యారు. ఇది మీరు చేయకపోతే, వెంటనే కొత్త పాస్‌వర్డ్ అడగండి.",
    ),
    K.order_confirmed: (
        "మీ ఆర్డర్ $order",
        "$business: $date కోసం మీ ఆర్డర్ $order అందింది: $items. మొత్తం: $amount.",
    ),
    K.out_for_delivery: (
        "మీ డెలివరీ దారిలో ఉంది",
        "$business: $date నాటి మీ డెలివరీ దారిలో ఉంది: $items.",
    ),
    K.delivered: (
        "$date న డెలివరీ అయింది",
        "$business: $date న డెలివరీ అయింది: $items.",
    ),
    K.partially_delivered: (
        "$date న కొంత భాగం డెలివరీ అయింది",
        "$business: $date న డెలివరీ అయింది: $items. మీరు ఆర్డర్ చేసినదంతా ఇవ్వలేకపోయాము; అందిన వాటికి మాత్రమే మీరు చెల్లించాలి.",
    ),
    K.not_delivered: (
        "$date న డెలివరీ కాలేదు",
        "$business: $date న మేము డెలివరీ చేయలేకపోయాము: $items. దీనికి మీరు చెల్లించనవసరం లేదు.",
    ),
    K.pause_set: (
        "$since నుండి $until వరకు డెలివరీ నిలిపివేత",
        "$business: $since నుండి $until వరకు డెలివరీ ఉండదు: $items.",
    ),
    K.pause_open: (
        "$since నుండి డెలివరీ నిలిపివేత",
        "$business: $since నుండి, మీరు మళ్లీ ప్రారంభించే వరకు, డెలివరీ ఉండదు: $items.",
    ),
    K.pause_ended: (
        "$since నుండి డెలివరీ మళ్లీ మొదలు",
        "$business: $since నుండి డెలివరీ మళ్లీ మొదలవుతుంది: $items.",
    ),
    K.bill_issued: (
        "మీ బిల్లు $number",
        "$business: $first నుండి $last వరకు మీ బిల్లు $number, మొత్తం $amount. దయచేసి $due లోగా చెల్లించండి.",
    ),
    K.payment_received: (
        "చెల్లింపు అందింది",
        "$business: $date న $amount అందింది. ధన్యవాదాలు.",
    ),
    K.payment_reminder: (
        "చెల్లింపు గుర్తు",
        "$business: $amount బకాయి ఉంది, చెల్లించవలసిన తేదీ $due. ఇప్పటికే చెల్లించి ఉంటే, ఈ సందేశాన్ని పట్టించుకోకండి.",
    ),
}
