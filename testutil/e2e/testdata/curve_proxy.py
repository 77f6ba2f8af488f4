"""A ChemBus proxy with CURVE on both sockets, for clients with the given public keys.

usage: curve_proxy.py SERVER_PUBLIC SERVER_SECRET CLIENT_PUBLIC...
Prints the endpoints of XSUB and XPUB, then forwards.
"""
import sys

import zmq
import zmq.auth.thread

public, secret, *clients = (key.encode() for key in sys.argv[1:])


class Known:
    @staticmethod
    def callback(_domain, key):
        return key in clients


context = zmq.Context()
authenticator = zmq.auth.thread.ThreadAuthenticator(context)
authenticator.start()
authenticator.configure_curve_callback(domain="*", credentials_provider=Known())


def bind(kind):
    socket = context.socket(kind)
    socket.curve_server = True
    socket.curve_publickey, socket.curve_secretkey = public, secret
    socket.bind("tcp://127.0.0.1:*")
    return socket


xsub, xpub = bind(zmq.XSUB), bind(zmq.XPUB)
print(xsub.last_endpoint.decode().rstrip("\0"), xpub.last_endpoint.decode().rstrip("\0"), flush=True)
zmq.proxy(xsub, xpub)
