# /etc/profile.d/tokenvault.sh: tells root, at a login, that nobody has confirmed the vault's recovery key. It asks the service
# manager what the vault said last, and not the vault: a login does not wait for it.
case $-:$(id -u) in
    *i*:0)
        tokenvault_said=$(systemctl show --property=StatusText --value tokenvaultd.service 2>/dev/null)
        case $tokenvault_said in
            "serving: "*"'tokenvaultctl init"*) echo "tokenvault: ${tokenvault_said#serving: }" >&2 ;;
        esac
        unset tokenvault_said
        ;;
esac
