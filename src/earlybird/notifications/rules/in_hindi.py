"""What is said in Hindi: subject and body of each kind."""

from __future__ import annotations

from earlybird.notifications.states import MessageKind as K

WORDS = {
    K.one_time_code: (
        "आपका साइन-इन कोड",
        "$code आपका Earlybird साइन-इन कोड है। यह $minutes मिनट तक मान्य है। इसे किसी को न बताएँ।",
    ),
    K.invitation: (
        "$business में आपका खाता",
        (
            "नमस्ते $name,\n\n$business ने आपके लिए एक खाता बनाया है: आपका कैलेंडर, डिलीवरी और बिल।\n"
            "यहाँ अपना पासवर्ड चुनें:\n\n$link\n\nयह लिंक केवल एक बार काम करता है, $until तक।"
        ),
    ),
    K.sign_in_link: (
        "आपका साइन-इन लिंक",
        "यहाँ साइन इन करें:\n\n$link\n\nयह लिंक केवल एक बार, $minutes मिनट तक काम करता है। यदि आपने इसे नहीं माँगा, तो कुछ न करें।",
    ),
    K.password_reset: (
        "नया पासवर्ड चुनें",
        (
            "किसी ने, शायद आपने, नया पासवर्ड माँगा है। उसे यहाँ चुनें:\n\n$link\n\n"
            "यह लिंक केवल एक बार काम करता है, $minutes मिनट तक। यदि यह आपने नहीं माँगा, तो कुछ न करें।"
        ),
    ),
    K.password_changed: (
        "आपका पासवर्ड बदल दिया गया है",
        (
            "आपके खाते का पासवर्ड बदल दिया गया है, और आप बाकी सब जगह से साइन आउट हो गए हैं। "
            "यदि यह आपने नहीं किया, तो तुरंत नया पासवर्ड माँगें।"
        ),
    ),
    K.order_confirmed: (
        "आपका ऑर्डर $order",
        "$business: $date के लिए आपका ऑर्डर $order मिल गया है: $items। राशि: $amount।",
    ),
    K.out_for_delivery: (
        "आपकी डिलीवरी रास्ते में है",
        "$business: $date की आपकी डिलीवरी रास्ते में है: $items।",
    ),
    K.delivered: (
        "$date को डिलीवरी हो गई",
        "$business: $date को डिलीवरी हो गई: $items।",
    ),
    K.partially_delivered: (
        "$date को आंशिक डिलीवरी",
        (
            "$business: $date को डिलीवरी हुई: $items। आपके ऑर्डर का कुछ भाग नहीं दिया जा सका; "
            "आपको केवल मिले हुए सामान का भुगतान करना है।"
        ),
    ),
    K.not_delivered: (
        "$date को डिलीवरी नहीं हो सकी",
        "$business: $date को हम डिलीवरी नहीं कर सके: $items। इसका कोई शुल्क नहीं लगेगा।",
    ),
    K.pause_set: (
        "$since से $until तक डिलीवरी बंद",
        "$business: $since से $until तक डिलीवरी नहीं होगी: $items।",
    ),
    K.pause_open: (
        "$since से डिलीवरी बंद",
        "$business: $since से, आपके दोबारा शुरू करने तक, डिलीवरी नहीं होगी: $items।",
    ),
    K.pause_ended: (
        "$since से डिलीवरी फिर शुरू",
        "$business: $since से डिलीवरी फिर शुरू होगी: $items।",
    ),
    K.bill_issued: (
        "आपका बिल $number",
        "$business: $first से $last तक का आपका बिल $number, राशि $amount। कृपया $due तक भुगतान करें।",
    ),
    K.payment_received: (
        "भुगतान प्राप्त हुआ",
        "$business: हमें $date को $amount प्राप्त हुए। धन्यवाद।",
    ),
    K.payment_reminder: (
        "भुगतान की याद",
        "$business: $amount बकाया है, भुगतान की तारीख $due थी। यदि आप भुगतान कर चुके हैं, तो इस संदेश पर ध्यान न दें।",
    ),
}
