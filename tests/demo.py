"""Prints the value of one token, through the C library: python3 demo.py NAME."""

import ctypes
import sys

vault = ctypes.CDLL("libtokenvault.so.0")
vault.tokenvault_strerror.restype = ctypes.c_char_p
vault.tokenvault_client_error.restype = ctypes.c_char_p
vault.tokenvault_client_error.argtypes = [ctypes.c_void_p]
vault.tokenvault_get.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p)]
vault.tokenvault_value_data.restype = ctypes.c_void_p
vault.tokenvault_value_data.argtypes = [ctypes.c_void_p]
vault.tokenvault_value_len.restype = ctypes.c_size_t
vault.tokenvault_value_len.argtypes = [ctypes.c_void_p]
vault.tokenvault_value_free.argtypes = [ctypes.c_void_p]
vault.tokenvault_client_close.argtypes = [ctypes.c_void_p]

client = ctypes.c_void_p()
status = vault.tokenvault_client_open(None, ctypes.byref(client))
if status:
    sys.exit(vault.tokenvault_strerror(status).decode())
value = ctypes.c_void_p()
status = vault.tokenvault_get(client, sys.argv[1].encode(), None, ctypes.byref(value))
if status:
    sys.exit(vault.tokenvault_client_error(client).decode())
size = vault.tokenvault_value_len(value)
sys.stdout.buffer.write(ctypes.string_at(vault.tokenvault_value_data(value), size))
vault.tokenvault_value_free(value)
vault.tokenvault_client_close(client)
