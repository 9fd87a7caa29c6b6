# conf.awk: the list of settings in the manual page tokenvault.conf(5), from the default configuration: the comment before a
# setting, or before some that follow each other, is what is said of it.

function tell(    i) {
    if (about == "" && settings == 0) return
    if (settings == 0) {
        # A comment alone is about what follows.
        if (seen_setting || table != "") { close_list(); print ".Pp"; print prose(about) }
    } else {
        if (!in_list) print ".Bl -tag -width Ds"
        in_list = 1
        for (i = 1; i <= settings; i++) print ".It Cm " setting[i]
        print prose(about)
    }
    about = ""
    settings = 0
}

function close_list() {
    if (in_list) print ".El"
    in_list = 0
}

/^# ?/ {
    if (settings) tell()
    line = $0
    sub(/^# ?/, "", line)
    about = about (about == "" ? "" : " ") line
}
/^\[/ {
    close_list()
    table = substr($0, 2, length($0) - 2)
    print ".Ss Table " table
    seen_setting = 1
    if (about != "") print prose(about)
    about = ""
}
/^[a-z-]+ = / {
    value = $0
    gsub(/"/, "\\(dq", value)
    # A bracket at the end of a line is none of the value's to mdoc.
    sub(/\]$/, "]\\\\\\&", value)
    setting[++settings] = value
    seen_setting = 1
}
/^$/ { tell() }
END { tell(); close_list() }
