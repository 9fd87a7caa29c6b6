"""Writes a token to standard output: python3 get.py NAME"""

import ctypes
import sys

vault = ctypes.CDLL("libtokenvault.so.0")
vault.tokenvault_client_error.argtypes = [ctypes.c_void_p]
vault.tokenvault_client_error.restype = ctypes.c_char_p
vault.tokenvault_value_data.argtypes = [ctypes.c_void_p]
vault.tokenvault_value_data.restype = ctypes.c_void_p
vault.tokenvault_value_len.argtypes = [ctypes.c_void_p]
vault.tokenvault_value_len.restype = ctypes.c_size_t
vault.tokenvault_value_free.argtypes = [ctypes.c_void_p]
vault.tokenvault_client_close.argtypes = [ctypes.c_void_p]

client, value = ctypes.c_void_p(), ctypes.c_void_p()
error = vault.tokenvault_client_open(None, ctypes.byref(client))
if error == 0:
    error = vault.tokenvault_get(client, sys.argv[1].encode(), None, ctypes.byref(value))
if error == 0:
    size = vault.tokenvault_value_len(value)
    sys.stdout.buffer.write(ctypes.string_at(vault.tokenvault_value_data(value), size))
else:
    print("get:", vault.tokenvault_client_error(client).decode(), file=sys.stderr)
vault.tokenvault_value_free(value)
vault.tokenvault_client_close(client)
sys.exit(error)
