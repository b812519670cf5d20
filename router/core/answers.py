"""What we answer to STOP, START and HELP where the provider does not answer itself.

CTIA Messaging Principles 5.1: one confirmation of an opt-out and no more; HELP names the program and a contact.
"""

from __future__ import annotations

from collections.abc import Mapping

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "stop": "{organization}: you are unsubscribed and will get no more messages here. Reply START to come back.",
        "start": "{organization}: welcome back. Reply STOP at any time to end, HELP for help.",
        "help": "{organization}: for help see {contact}. Message and data rates may apply. Reply STOP to end.",
    },
    "es": {
        "stop": "{organization}: te has dado de baja y no recibirás más mensajes aquí. Responde START para volver.",
        "start": "{organization}: te damos la bienvenida de nuevo. Responde STOP para salir, HELP para ayuda.",
        "help": "{organization}: ayuda en {contact}. Pueden aplicarse tarifas de mensajes. Responde STOP para salir.",
    },
    "fr": {
        "stop": "{organization} : vous êtes désinscrit et ne recevrez plus de messages ici. START pour revenir.",
        "start": "{organization} : heureux de vous revoir. STOP pour arrêter, HELP pour de l'aide.",
        "help": "{organization} : aide sur {contact}. Coût d'un SMS selon votre opérateur. STOP pour arrêter.",
    },
    "de": {
        "stop": "{organization}: Sie sind abgemeldet und erhalten hier nichts mehr. Mit START kommen Sie zurück.",
        "start": "{organization}: schön, dass Sie wieder da sind. STOP beendet, HELP hilft.",
        "help": "{organization}: Hilfe unter {contact}. Es gelten die SMS-Preise Ihres Anbieters. STOP beendet.",
    },
    "pt": {
        "stop": "{organization}: sua inscrição foi cancelada; não enviaremos mais mensagens aqui. START para voltar.",
        "start": "{organization}: que bom ter você de volta. STOP para sair, HELP para ajuda.",
        "help": "{organization}: ajuda em {contact}. Podem aplicar-se tarifas de mensagens. STOP para sair.",
    },
    "ar": {
        "stop": "{organization}: تم إلغاء اشتراكك ولن تصلك رسائل أخرى هنا. أرسل START للعودة.",
        "start": "{organization}: أهلا بعودتك. أرسل STOP للإيقاف أو HELP للمساعدة.",
        "help": "{organization}: للمساعدة {contact}. قد تطبق رسوم الرسائل. أرسل STOP للإيقاف.",
    },
}


def answer(kind: str, *, locale: str, organization: str, contact: str) -> str:
    """The words for "stop", "start" or "help" in a member's language, English where we have none."""
    words = _WORDS.get(locale.partition("-")[0].lower(), _WORDS["en"])
    return words[kind].format(organization=organization, contact=contact)
