# shellcheck shell=bash disable=SC2034,SC2154  # variables of the other parts
# crowds.bash - attacks by connections: too many, too slow, too long, cut off, deaf. See ../attack.sh, scene.bash.

ports() { echo "$port" $((port + 1)) $((port + 2)); }

crowds_silent() {
    tried '500 silent connections a port'
    expected 'served beside them'
    under_attack hold_crowd 500
}

# hold_crowd COUNT: to each port.
hold_crowd() {
    local number crowds=()
    for number in $(ports); do crowds+=("crowd $1 $address $number"); done
    "$peer" -t 60000 "${crowds[@]}" 'tell here' "until $dir/enough" >"$dir/crowd" 2>&1 &
    eventually 10000 grep -q here "$dir/crowd"
    ready
    if wait $!; then echo 'served beside them'; else tail -n 1 "$dir/crowd"; fi
}

crowds_slow() {
    tried '300 connections a port, a byte a second each'
    expected 'served beside them'
    under_attack drip 300
}

# drip COUNT: for five seconds. Who has lost its place writes to nobody.
drip() {
    local number fd count connections=() lost=0
    trap '' PIPE
    for number in $(ports); do
        for ((count = 0; count < $1; count++)); do
            exec {fd}<>"/dev/tcp/$address/$number" && connections+=("$fd")
        done
    done
    ready
    for ((count = 0; count < 5; count++)); do
        lost=0
        for fd in "${connections[@]}"; do printf r >&"$fd" || lost=$((lost + 1)); done
        sleep 1
    done 2>/dev/null
    echo 'served beside them'
    note "$lost lost their places"
}

crowds_endless() {
    tried '1 GB without a newline'
    expected 'no memory taken'
    under_attack flood_gigabyte
}

# Half of it to the principal, half to a secondary; as often as they hang up, from the beginning.
flood_gigabyte() {
    local before_kb grown_kb number
    before_kb=$(memory_kb)
    ready
    for number in "$port" $((port + 1)); do flood $((1 << 29)) "$number" >"$dir/flood.$number" & done
    wait
    grown_kb=$(($(memory_kb) - before_kb))
    if ((grown_kb < 1000)); then echo 'no memory taken'; else echo "they grew by $grown_kb kB"; fi
    note "$(awk '{ n += $1; bytes += $2 } END { printf "%d MB, %d times", bytes / 1000000, n }' "$dir"/flood.*), $grown_kb kB"
}

# flood BYTES PORT: prints how many connections it took, and how many bytes went.
flood() {
    local sent=0 times=0 went
    trap '' PIPE
    while ((sent < $1 && times < 20000)); do
        went=$(LC_ALL=C dd if=/dev/zero bs=65536 count=$((($1 - sent) / 65536 + 1)) 2>&1 >"/dev/tcp/$address/$2" |
            sed -n 's/^\([0-9]*\) bytes.*/\1/p')
        sent=$((sent + ${went:-0})) times=$((times + 1))
    done
    echo "$times $sent"
}

crowds_cut() {
    tried 'requests cut at every byte: in two, or left'
    expected 'whole answered, halves not'
    under_attack until_enough cut_requests
}

# Left by a close, by a reset, by the end of what we have to say; then said whole, in two pieces.
cut_requests() {
    local length line script=()
    for ((length = 0; length <= 12; length++)); do
        leave_half "$port" requetetype1
        script+=("connect $address $port" "send ${line:0:length}" 'silence 2' "send ${line:length}\\n" expect-place close)
    done
    get_place
    for ((length = 0; length <= 22; length++)); do
        leave_half "$PLACE" "$TOKEN hello"
    done
    if "$peer" "${script[@]}" >"$dir/cut" 2>&1 && say_tokens_in_two; then
        echo 'whole answered, halves not'
    else
        tail -n 1 "$dir/cut"
    fi
}

# leave_half PORT LINE: cut after $length bytes; its newline never comes, so it is no line.
leave_half() {
    local half=("connect $address $1" "send ${2:0:length}")
    line=$2
    script+=("${half[@]}" close "${half[@]}" reset "${half[@]}" half-close expect-refusal close)
}

# A token whose first showing was cut off is good still.
say_tokens_in_two() {
    for length in 0 1 8 15 16 17 21 22; do
        get_place
        line="$TOKEN hello"
        "$peer" "connect $address $PLACE" "send ${line:0:length}" reset \
            "connect $address $PLACE" "send ${line:0:length}" 'silence 2' "send ${line:length}\\n" \
            'expect ^debut' 'expect ^resultat HELLO$' 'expect ^fin' expect-end >"$dir/cut" 2>&1 || return
    done
}

crowds_deaf() {
    tried 'asks without end, and never reads the answers'
    expected 'served beside it'
    under_attack until_enough be_deaf
}

# As far as it is listened to: that ends when no more answers fit into the socket's buffers.
be_deaf() {
    if "$peer" "connect $address $port" 'babble 300000 requetetype9\n' reset >"$dir/deaf" 2>&1; then
        echo 'served beside it'
    else
        tail -n 1 "$dir/deaf"
    fi
}
