"""Every change to who may come in: grants, people, passwords, codes, links, second factors, sessions, throttles."""
