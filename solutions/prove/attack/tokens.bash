# shellcheck shell=bash disable=SC2034,SC2154  # variables of the other parts
# tokens.bash - attacks on tokens: whoever shows one is served in another's place. See ../attack.sh, scene.bash.

random_token() { od -An -N8 -tx1 /dev/urandom | tr -d ' \n'; }

# get_place: asks the principal; sets $PLACE and $TOKEN.
get_place() {
    local fd
    exec {fd}<>"/dev/tcp/$address/$port" || return
    echo requetetype1 >&"$fd"
    read -r -t 5 -u "$fd" PLACE TOKEN
    exec {fd}>&-
}

# show PORT LINE: what a secondary makes of it; waits for the end where it has opened.
show() {
    local fd word='' rest
    exec {fd}<>"/dev/tcp/$address/$1" || return
    printf '%s\n' "$2" >&"$fd"
    read -r -t 5 -u "$fd" word rest
    case $word in
    errtraitement) echo refused ;;
    debuttraitement) echo opened; cat <&"$fd" >/dev/null ;;
    *) echo "no answer: $word" ;;
    esac
    exec {fd}>&-
}

tokens_wrong() {
    tried 'tokens: none, cut, too long, never given'
    expected refused
    under_attack until_enough show_wrong_tokens
}

show_wrong_tokens() {
    local line
    get_place
    for line in '' ' hello' "${TOKEN%?} hello" "${TOKEN}0 hello" " $TOKEN hello" "${TOKEN%??}zz hello" "${TOKEN^^}g hello" \
        requetetype1 "$(random_token) hello"; do
        show "$PLACE" "$line"
    done
}

tokens_old() {
    tried 'a token shown again, at once and later'
    expected 'opened once, then refused'
    under_attack until_enough show_old_token
}

show_old_token() {
    local first
    get_place
    first=$(mktemp -p "$dir")
    show "$PLACE" "$TOKEN hello" >>"$first" &
    { show "$PLACE" "$TOKEN again"; wait $!; show "$PLACE" "$TOKEN once more"; } >>"$first"
    case $(sort "$first" | paste -sd' ') in
    'opened refused refused') echo 'opened once, then refused' ;;
    *) paste -sd' ' "$first" ;;
    esac
}

tokens_of_the_dead() {
    tried 'a token of a secondary that has died since'
    expected refused
    replaces=yes
    under_attack show_token_of_the_dead
}

show_token_of_the_dead() {
    ready
    get_place
    kill -KILL "$(pid_of "secondary$((PLACE - port))")"
    eventually 5000 told "[^ ]+ restarted secondary$((PLACE - port))"
    show "$PLACE" "$TOKEN hello"
}

tokens_guessed() {
    tried 'tokens guessed, as fast as it goes'
    expected 'none opened'
    under_attack guess_tokens
}

guess_tokens() {
    local begun_ms count=0
    now_ms
    begun_ms=$REPLY
    until_enough guess_hundred
    now_ms
    note "$((count * 1000 / (REPLY - begun_ms))) guesses a second"
}

guess_hundred() {
    local guess script=()
    for guess in $(od -An -N800 -v -w8 -tx1 /dev/urandom | tr -d ' '); do
        script+=("connect $address $((port + 1))" "send $guess hello\\n" 'expect ^errtraitement' reset)
    done
    if "$peer" "${script[@]}" >"$dir/guessed" 2>&1; then echo 'none opened'; else tail -n 1 "$dir/guessed"; fi
    count=$((count + 100))
}

# The thief plays the principal: it shows the token that it passes on, and passes on an honest one when it is asked again.
tokens_stolen() {
    tried 'a token stolen, and shown before its owner'
    expected 'refused, asked again, served'
    under_attack until_enough steal_token
}

steal_token() {
    local thief ask_for_place=("connect $address $port" 'send requetetype1\n' expect-place)
    : >"$dir/thief"
    "$peer" "listen $address $other_port" "${ask_for_place[@]}" "connect $address %p" 'send %t mine\n' 'expect ^debut' \
        "serve $other_port ^requetetype1" 'send %p %t\n' \
        "${ask_for_place[@]}" "serve $other_port ^requetetype1" 'send %p %t\n' expect-end >"$dir/thief" 2>&1 &
    thief=$!
    eventually 2000 grep -q listening "$dir/thief"
    if [[ $("$lab/client" -v -r 1 -H "$address" -p "$other_port" 'requetetype1 hello' 2>"$dir/owner") == HELLO ]] &&
        grep -q 'failed: .*wrong token' "$dir/owner"; then
        echo 'refused, asked again, served'
    else
        tail -n 1 "$dir/owner" "$dir/thief" | paste -sd' '
    fi
    wait $thief
}

tokens_elsewhere() {
    tried "a token at the other secondary's port"
    expected 'refused there, opened here'
    under_attack until_enough show_elsewhere
}

show_elsewhere() {
    get_place
    echo "$(show $((2 * port + 3 - PLACE)) "$TOKEN hello") there, $(show "$PLACE" "$TOKEN hello") here"
}

tokens_hoarded() {
    tried 'tokens asked for without end, and never shown'
    expected given
    under_attack hoard_tokens
}

hoard_tokens() {
    local begun_ms count=0
    now_ms
    begun_ms=$REPLY
    until_enough hoard_five_hundred
    now_ms
    note "$((count * 1000 / (REPLY - begun_ms))) a second"
}

hoard_five_hundred() {
    if "$peer" "connect $address $port" 'times 500' 'send requetetype1\n' expect-place >"$dir/hoard" 2>&1; then
        echo given
    else
        tail -n 1 "$dir/hoard"
    fi
    count=$((count + 500))
}
