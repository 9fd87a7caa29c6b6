# What one user does with a vault in a day. Read by 'sh -eu'; TOKENVAULT_ADDRESS names the door.

fails() { # STATUS COMMAND...
    wanted=$1 status=0
    shift
    "$@" || status=$?
    [ "$status" = "$wanted" ]
}

printf %s 'first value' | tokenvault put day/key --attribute env=prod --content-type text/plain
[ "$(tokenvault get day/key)" = 'first value' ]
printf %s 'second value' | tokenvault put day/key
[ "$(tokenvault get day/key)" = 'second value' ]
[ "$(tokenvault versions day/key --no-legend | wc -l)" -ge 2 ]
tokenvault rollback day/key 1
[ "$(tokenvault get day/key)" = 'first value' ]
tokenvault annotate day/key --attribute env=test
tokenvault list --attribute env=test | grep -q day/key
tokenvault describe day/key --json=short | grep -q '"env":"test"'
tokenvault mv day/key day/renamed
fails 3 tokenvault get day/key
[ "$(tokenvault get day/renamed)" = 'first value' ]

tokenvault generate day/generated --length 40 --charset hex
[ "$(tokenvault get day/generated | wc -c)" = 40 ]
[ "$(tokenvault run --env KEY=day/renamed -- sh -c 'printf %s "$KEY"')" = 'first value' ]

for size in 65536 65537 16777216; do
    head -c "$size" /dev/zero | tokenvault put day/large --keep-versions 1
    [ "$(tokenvault get day/large | wc -c)" = "$size" ]
done
tokenvault fetches day/large --no-legend | grep -q .
tokenvault rm day/large
head -c 16777217 /dev/zero | fails 2 tokenvault put day/too-large

number=0
while [ "$number" -lt 50 ]; do
    number=$((number + 1))
    printf %s "$number" | tokenvault put "day/many/$number"
done
[ "$(tokenvault list --prefix day/many/ --no-legend | wc -l)" = 50 ]
[ "$(tokenvault get day/many/37)" = 37 ]

tokenvault whoami --json=short | grep -q "\"user\":\"$(id -un)\""
tokenvault status --json=short | grep -q '"state":"serving"'

for name in $(tokenvault list --json=short | grep -o '"name":"[^"]*"' | cut -d '"' -f 4); do
    tokenvault rm "$name"
done
[ "$(tokenvault list --no-legend | wc -l)" = 0 ]
