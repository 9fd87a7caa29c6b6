# bus.awk: the manual page org.tokenvault1(5), from the table of errors in the header and the introspection document, which
# are generated themselves and laid out alike throughout. What holds for all methods is said in bus.head.

# What the attribute NAME of this line says.
function attribute(name,    rest) {
    rest = $0
    if (!sub(".*[ <]" name "=\"", "", rest)) return ""
    sub(/".*/, "", rest)
    return rest
}

function tell_comment(    i, number, paragraphs) {
    number = split(comment, paragraphs, /\n\n/)
    for (i = 1; i <= number; i++) {
        if (i > 1) print ".Pp"
        gsub(/\n/, " ", paragraphs[i])
        print prose(paragraphs[i])
    }
    comment = ""
}

function item(heading, text) {
    if (!in_list) print ".Bl -tag -width Ds"
    in_list = 1
    print ".It " heading
    comment = text
    tell_comment()
}

function camel_case(words,    i, number, parts, name) {
    number = split(words, parts, "_")
    for (i = 1; i <= number; i++) name = name substr(parts[i], 1, 1) tolower(substr(parts[i], 2))
    return name
}

# The header: each number with the comment before it.
FILENAME ~ /\.h$/ && /^ \* / { text = text (text == "" ? "" : " ") substr($0, 4) }
FILENAME ~ /\.h$/ && /^\/\*/ { text = "" }
FILENAME ~ /\.h$/ && /^#define TOKENVAULT_ERROR_/ {
    name = camel_case(substr($2, length("TOKENVAULT_ERROR_") + 1))
    prefix = name == "InteractiveAuthorizationRequired" ? "org.freedesktop.DBus.Error." : "org.tokenvault1.Error."
    errors[++error_count] = ".It Er " prefix name " Pq " $3 "\n" prose(text)
}
FILENAME ~ /\.h$/ { next }

/<!--/ { in_comment = 1; text = ""; next }
/-->/ {
    in_comment = 0
    # Two in a row: the first was the interface's.
    if (comment != "") { tell_comment() }
    comment = text
    next
}
in_comment { sub(/^ */, ""); text = text (text == "" ? "" : "\n") $0; next }

/<interface / { print ".Sh THE INTERFACE " toupper(attribute("name")); in_list = 0 }
/<\/interface>/ { if (in_list) print ".El" }
/<signal / { method = attribute("name"); taken = ""; about = comment; comment = ""; in_signal = 1 }
/<\/signal>/ { item("Fn " method taken " Pq signal", about); in_signal = 0 }
/<method / { method = attribute("name"); taken = given = ""; about = comment; comment = "" }
/<arg / {
    argument = attribute("type") " " attribute("name")
    if (in_signal || attribute("direction") == "in") taken = taken " \"" argument "\""
    else given = given (given == "" ? "" : ", ") argument
}
/<\/method>/ { item("Fn " method taken (given == "" ? "" : " No -> Pq " given), about) }
/<property / {
    about = comment
    comment = ""
    item("Va " attribute("name") " Pq property, " attribute("type"), about)
}

END {
    print ".Sh ERROR NAMES"
    print "The number is the one of"
    print ".Xr libtokenvault 3 ."
    print ".Bl -tag -width Ds"
    for (i = 1; i <= error_count; i++) print errors[i]
    print ".El"
    print ".Sh SEE ALSO"
    print ".Xr tokenvault 1 ,"
    print ".Xr libtokenvault 3 ,"
    print ".Xr tokenvault 7 ,"
    print ".Xr tokenvaultd 8"
}
