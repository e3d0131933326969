# Makes sql/migrations.c from the numbered .sql files: awk -f embed.awk sql/001_start.sql …
BEGIN {
    print "/* Made by sql/embed.awk from the numbered files. */"
    print "#include \"config.h\"\n\n#include \"sql/store.h\"\n"
    print "const struct migration migrations[] = {"
}
FNR == 1 {
    if (NR > 1)
        print "    },"
    name = FILENAME
    sub(/.*\//, "", name)
    printf "    { %d,\n", substr(name, 1, 3) + 0
}
{
    sub(/[ \t]*--.*$/, "")   # comments stay in the file; no statement of ours holds "--" in a string
    if ($0 ~ /^[ \t]*$/)
        next
    gsub(/\\/, "\\\\")
    gsub(/"/, "\\\"")
    print "      \"" $0 "\\n\""
}
END {
    print "    },"
    print "    { 0, NULL },\n};"
}
