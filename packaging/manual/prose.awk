# prose.awk: text for manual pages in mdoc.

# Prose for mdoc: `words` of the interface in bold, lines of 78 columns, and a sentence begins a line, as its checker wants it.
function prose(text,    i, number, words, line, lines) {
    gsub(/\\/, "\\e", text)
    while (match(text, /`[^`]*`/))
        text = substr(text, 1, RSTART - 1) "\\fB" substr(text, RSTART + 1, RLENGTH - 2) "\\fR" substr(text, RSTART + RLENGTH)
    number = split(text, words, " ")
    for (i = 1; i <= number; i++) {
        if (line != "" && (line ~ /\.$/ || length(line) + length(words[i]) >= 78)) {
            lines = lines line "\n"
            line = ""
        }
        # A line must not begin like a request of the formatter.
        if (line == "" && words[i] ~ /^['.]/) line = "\\&"
        line = line (line == "" || line == "\\&" ? "" : " ") words[i]
    }
    return lines line
}
