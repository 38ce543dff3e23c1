# step4_warmup_protocols.bats - the warm-ups of step 4 that speak a protocol, seen from outside: remote, relay, udp_echo.
#
#     LAB_DIR=solutions/step4_client/warmup bats tests/step4_warmup_protocols.bats
#
# Words for sockets are in tcp.bash; peer.c plays the other side where the shell cannot, as for a half-close. socat and curl
# are other people's programs: tests with them are skipped where they are not installed.

# shellcheck disable=SC2016,SC2030,SC2031,SC2154  # $ for another shell; a variable set in a test is meant for that test

load helpers
load tcp

PORT=8080
UPSTREAM=8081

needs() { type -P "$1" >/dev/null || skip "$1 is not installed"; }

# start_server NAME PROGRAM ARGS...: and wait until it says that it listens
start_server() {
    named "$1"
    supervise_with -t 60000
    start "${@:2}"
    await ' listening on '
}

run_beside() { beside && run_to_end "$@"; }
start_beside() { beside && start "$@"; }

output() { cat "$OUT/stdout"; }
expect_output() { expect_equal "what it prints" "$1" "$(output)"; }

stop_and_expect_nothing_left() {
    look_at "$1"
    send TERM "$PROGRAM_PID"
    await_end 5000
    expect_status 0
    expect_nothing_left
}

# A server on $UPSTREAM that follows a script. Behind it, the words speak of $1 again.
fake_upstream() {
    local again=${OUT##*/}
    named fake
    start_beside "$TESTS_DIR/peer" "listen $ADDRESS $UPSTREAM" "$@"
    await '^listening$'
    [[ -z $again ]] || look_at "$again"
}

expect_played() {
    look_at fake
    await_end
    expect_status 0
}

# ---- what is given

PROGRAMS=(remote_server remote relay udp_echo_server udp_echo)

@test "4w.0.30 remote, relay, udp_echo: -h prints the usage on standard output and exits 0" {
    because "a usage that was asked for is the result, not an error: stdout and 0. relay has another use for -h, with a port behind it"
    local program
    for program in "${PROGRAMS[@]}"; do
        run_to_end "$program" -h
        expect_status 0
        expect_line '[Uu]sage'
        expect_equal "bytes on standard error" 0 "$(errors | wc -c)"
    done
}

@test "4w.0.31 remote, relay, udp_echo: wrong options, numbers and arguments are wrong usage: exit 2" {
    because "getopt(3) returns '?' for what it does not know; strtol(3) tells where it stopped"
    local program port
    for program in "${PROGRAMS[@]}"; do
        expect_wrong_usage "$program" -Z
    done
    for port in abc '' 0 65536; do
        expect_wrong_usage relay "$port" 127.0.0.1 80
        expect_wrong_usage relay 8080 127.0.0.1 "$port"
        expect_wrong_usage udp_echo_server -p "$port"
        expect_wrong_usage remote_server -p "$port"
    done
    expect_wrong_usage relay -h 8080 127.0.0.1 80
    expect_wrong_usage udp_echo 127.0.0.1
    expect_wrong_usage remote 127.0.0.1
    expect_wrong_usage remote 127.0.0.1 block file 0
    expect_wrong_usage remote 127.0.0.1 block file -1 10
}

@test "4w.0.32 udp_echo_server sends a datagram back, ends on SIGTERM, and leaves nothing" {
    because "recvfrom(2) tells where a datagram came from: sendto(2) needs just that"
    start_server server udp_echo_server -a "$ADDRESS" -p "$PORT"
    local fd
    exec {fd}<>"/dev/udp/$ADDRESS/$PORT"
    echo hello >&"$fd"
    expect_equal "what comes back" hello "$(timeout 10 head -n 1 <&"$fd")"
    exec {fd}>&-
    stop_and_expect_nothing_left server
}

# ---- remote

remote_directory() {
    FILES=$BATS_TEST_TMPDIR/files
    mkdir -p "$FILES/sub/deep"
    head -c 100000 /dev/urandom >"$FILES/big"
    echo "a small file" >"$FILES/sub/deep/small"
    echo "a secret" >"$BATS_TEST_TMPDIR/secret"
}

start_remote() {
    remote_directory
    start_server server remote_server -a "$ADDRESS" -p "$PORT" -d "$FILES" "$@"
}

# The client, to its end; the words speak of it then.
ask() { run_beside remote -p "$PORT" "$ADDRESS" "$@"; }
expect_failure() {
    ask "$@"
    expect_status 1
    expect_stderr '^remote: .'
    expect_no_output
}

# hear_bytes NAME COUNT: the next bytes, in hexadecimal; fewer at the end of the connection
hear_bytes() { timeout 10 head -c "$2" <&"${LINES[$1]}" | od -An -v -tx1 | tr -d ' \n'; }

DATE='\0\0\0\1\0\0\0\0'
DONE_20=0000006400000014        # kind 100, length 20: a date's reply

@test "4w.11.1 remote tells the server's date" {
    because "the reply's length has travelled with its most significant byte first: ntohl(3)"
    start_remote
    local before
    before=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    ask date
    expect_status 0
    expect_line '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$'
    expect_that "it lies between two others" test ! "$(output)" '<' "$before" -a ! "$(date -u +%Y-%m-%dT%H:%M:%SZ)" '<' "$(output)"
}

@test "4w.11.2 on the wire numbers have their most significant byte first" {
    because "this machine keeps the least significant byte first; the protocol does not: htonl(3), byteorder(3)"
    start_remote
    dial wire
    say wire "$DATE"
    expect_equal "the header of the reply" "$DONE_20" "$(hear_bytes wire 8)"
}

@test "4w.11.3 requests in pieces, and two at once, are answered one by one" {
    because "TCP is a stream of bytes: a read(2) may bring half a header, or two requests. Read exactly as many as are missing"
    start_remote
    dial wire
    say wire "$DATE$DATE"
    expect_equal "the first reply" "$DONE_20" "$(hear_bytes wire 8)"
    hear_bytes wire 20 >/dev/null
    expect_equal "the second reply" "$DONE_20" "$(hear_bytes wire 8)"
    hear_bytes wire 20 >/dev/null
    say wire '\0\0\0'
    let_pass 200
    say wire '\1\0\0\0'
    let_pass 200
    say wire '\0'
    expect_equal "the reply to the one in pieces" "$DONE_20" "$(hear_bytes wire 8)"
}

@test "4w.11.4 a length above the bound is refused at once: the connection ends, and others are served" {
    because "whoever believes the length reserves, or waits for, whatever a stranger says: compare it with the bound before"
    start_remote
    local length
    for length in '\0\1\0\1' '\177\377\377\377' '\377\377\377\377'; do
        dial liar
        say liar "\\0\\0\\0\\1$length"
        expect_equal "a reply" "" "$(hear_bytes liar 8)"
        hang_up liar
    done
    ask date
    expect_status 0
}

@test "4w.11.5 the longest content is taken" {
    because "the bound is the longest that is allowed, and not the first that is too long"
    start_remote
    dial wire
    say wire '\0\0\0\143\0\1\0\0'
    (head -c 65536 /dev/zero >&"${LINES[wire]}") 2>/dev/null || true     # who hangs up in the midst of it is asked below
    expect_equal "a reply: no such request (kind 101)" 00000065 "$(hear_bytes wire 4)"
}

@test "4w.11.6 a frame that is cut off ends the connection, and others are served" {
    because "read(2) returns 0 at the end, for ever: a loop that goes on reading then never ends"
    start_remote
    play "connect $ADDRESS $PORT" 'send \0\0\0' half-close expect-end
    play "connect $ADDRESS $PORT" 'send \0\0\0zzzzzzzzz' half-close expect-end
    play "connect $ADDRESS $PORT" 'send \0\0\0z\0\0\0zabc' half-close expect-end
    ask date
    expect_status 0
    stop_and_expect_nothing_left server
}

@test "4w.11.7 the client refuses a server that lies about a length" {
    because "a server is a stranger, too: what holds for requests holds for replies"
    named fake
    start "$TESTS_DIR/peer" "listen $ADDRESS $PORT" "times 2" "accept $PORT" 'send \0\0\0dzzzzabc' half-close expect-end
    await '^listening$'
    expect_failure date
    expect_failure date
    expect_played
    named short
    start_beside "$TESTS_DIR/peer" "listen $ADDRESS $UPSTREAM" "accept $UPSTREAM" 'send \0\0\0d\0\0\0zabc' half-close expect-end
    await '^listening$'
    run_beside remote -p "$UPSTREAM" "$ADDRESS" date
    expect_status 1
    expect_no_output
}

@test "4w.11.8 a silent client holds nobody up, and SIGTERM ends the server with all that it has started" {
    because "each client has a process of its own: who ends the server has to end these too, and to wait for them"
    start_remote
    dial silent
    dial half
    say half '\0\0'
    ask date
    expect_status 0
    stop_and_expect_nothing_left server
}

@test "4w.12.1 a file comes block by block, and an empty block behind its end" {
    because "each part of the path is opened in the directory before it: openat(2). And read the reply's length, not the request's"
    start_remote
    local offset
    for offset in 0 65536 100000 4294967296; do
        ask block big "$offset" 65536
        expect_status 0
        cat "$OUT/stdout" >>"$BATS_TEST_TMPDIR/copy"
    done
    expect_that "the blocks make the file" cmp "$BATS_TEST_TMPDIR/copy" "$FILES/big"
    ask block big 500 20
    expect_that "a block from the middle" cmp -n 20 -i 0:500 "$OUT/stdout" "$FILES/big"
    expect_equal "its length" 20 "$(wc -c <"$OUT/stdout")"
}

@test "4w.12.2 a file in a directory below is found" {
    because "strtok_r(3) wants the string once, and NULL from then on; and each part is opened in the one before it"
    start_remote
    ask block sub/deep/small 0 100
    expect_output "a small file"
    ask block ./sub//deep/small 2 5
    expect_output "small"
}

@test "4w.12.3 no path leads out: not by .., not from the root, not by a link" {
    because "a check of the text does not see links, and a link may be made after the check: open part by part, O_NOFOLLOW, openat(2)"
    start_remote
    ln -s "$BATS_TEST_TMPDIR/secret" "$FILES/link"
    ln -s "$BATS_TEST_TMPDIR" "$FILES/sub/up"
    ln -s ../.. "$FILES/sub/relative"
    local path
    for path in ../secret sub/../../secret sub/deep/../../../secret "$BATS_TEST_TMPDIR/secret" link sub/up/secret \
        sub/relative/secret .. sub/..; do
        expect_failure block "$path" 0 100
    done
    ask block sub/deep/small 0 100
    expect_output "a small file"
}

@test "4w.12.4 what is missing, or no plain file, is refused and not waited for" {
    because "to open a FIFO is to wait for a writer, without O_NONBLOCK; and a directory opens, but is no file: fstat(2)"
    start_remote
    mkfifo "$FILES/fifo"
    local path
    for path in fifo sub missing sub/missing big/missing .; do
        expect_failure block "$path" 0 100
    done
    ask block sub/deep/small 0 100
    expect_output "a small file"
}

@test "4w.13.1 an allowed program runs with its arguments, and its output comes" {
    because "dup2(2) makes the pipe the program's standard output; a pipe ends when nobody has its writing end: nor the parent. pipe(7)"
    start_remote -x echo
    ask run echo one 'two  words' ''
    expect_status 0
    expect_output "one two  words "
}

@test "4w.13.2 what is not in the list is not run" {
    because "compare the whole name with the list, and run what is in the list: never what a stranger wrote"
    start_remote -x /bin/echo -x cat
    local program
    for program in touch /bin/touch ../bin/touch ech echoo /bin/echo; do
        expect_failure run "$program" "$FILES/made"
    done
    expect_that "nothing was run" test ! -e "$FILES/made"
    ask run echo hello
    expect_output hello
}

@test "4w.13.3 its standard error comes too, its failure is told, and it has no input" {
    because "descriptor 2 needs a dup2(2) of its own; waitpid(2) tells how it ended"
    start_remote -x sh
    ask run sh -c 'cat; echo out; echo err >&2; exit 3'
    expect_status 1
    expect_equal "what it prints" $'err\nout' "$(output | sort)"
    expect_stderr '(^|[^0-9])3([^0-9]|$)'
    ask run sh -c 'kill -9 $$'
    expect_status 1
    expect_stderr .
}

@test "4w.13.4 a program has nothing of the server's open" {
    because "a child inherits every descriptor: what is FD_CLOEXEC goes at exec(3); dup2(2) makes copies that stay"
    start_remote -x ls
    dial other
    ask run ls -l /proc/self/fd
    expect_line ' 1 -> pipe:'
    expect_no_line 'socket:'
    expect_no_line ' -> .*/files$'
    expect_equal "descriptors that are pipes" 2 "$(output | grep -c 'pipe:')"
}

@test "4w.13.5 a program that takes too long is ended, and others are served meanwhile" {
    because "the child, too, has the pipe's writing end: as long as it is open in the parent, the pipe does not end"
    start_remote -t 1000 -x sleep -x sh -x echo
    start_beside remote -p "$PORT" "$ADDRESS" run sleep 1000
    local slow=${STARTS[-1]}
    ask run echo hello
    expect_output hello
    look_at "$slow"
    await_end
    expect_status 1
    expect_no_output
    expect_failure run sh -c 'exec >&- 2>&-; sleep 1000'
    expect_failure run sh -c 'sleep 1000 & echo left behind'
    stop_and_expect_nothing_left server
}

@test "4w.13.6 more output than a reply holds is a failure, and no hang" {
    because "a pipe that nobody reads is full after 64 KiB, and its writer waits: who stops reading has to end the program"
    start_remote -x head
    expect_failure run head -c 65600 /dev/zero
    ask run head -c 65000 /dev/zero
    expect_status 0
    expect_equal "bytes" 65000 "$(wc -c <"$OUT/stdout")"
}

@test "4w.13.7 a request that is cut off is not carried out" {
    because "half a request is no request: compare what has come with what was promised"
    start_remote -x touch
    local path=$FILES/made name
    name='touch\0'$path'\0'
    play "connect $ADDRESS $PORT" "send \\0\\0\\0zzzz" half-close expect-end
    play "connect $ADDRESS $PORT" "send \\0\\0\\0\\3\\0\\0zz$name" half-close expect-end
    expect_that "nothing was run" test ! -e "$path"
    ask run touch "$path"
    expect_that "a whole one is carried out" test -e "$path"
}

@test "4w.13.8 SIGTERM while a program runs ends both, and nothing is left" {
    because "the program is a child of a child: it has to be ended too, by its group, see kill(2)"
    start_remote -t 60000 -x sh
    start_beside remote -p "$PORT" "$ADDRESS" run sh -c 'sleep 1000 & echo $$; touch "$1"; wait' - "$FILES/started"
    eventually 10000 test -e "$FILES/started" || fail "the program runs" "it does not"
    look_at server
    send TERM "$PROGRAM_PID"
    await_end 5000
    expect_status 0
    expect_all_gone_within 1000
}

# ---- relay

start_relay() { start_server relay relay -a "$ADDRESS" "$@" "$PORT" "$ADDRESS" "$UPSTREAM"; }

# Two programs of socat: a server that says what it hears, and one that says what is in a file.
start_echo() { start_socat EXEC:cat; }
start_socat() {
    named upstream
    supervise_with -t 60000
    start_beside socat "TCP-LISTEN:$UPSTREAM,bind=$ADDRESS,reuseaddr,fork" "$1"
    eventually 10000 is_open "$UPSTREAM" || fail "socat listens" "it does not"
}

make_megabyte() { head -c 1000000 /dev/urandom >"$BATS_TEST_TMPDIR/megabyte"; }

# times_awake PID: of twenty looks at a process, how often it did not sleep. However busy the machine is.
times_awake() {
    local i
    for i in {1..20}; do
        sed 's/.*) \(.\).*/\1/' "/proc/$1/stat"
        let_pass 20
    done | grep -vc S || true
}

@test "4w.1.8 a server whose journal nobody reads any more ends" {
    because "a service that cannot tell what it does is to end, and to say so by its status; its clients' processes end with it"
    local program
    for program in "remote_server -p $PORT" "relay $PORT 127.0.0.1 1"; do
        # shellcheck disable=SC2086  # a program and its arguments
        set -- $program
        start bash -c '"$@" > >(head -n 1 >&2)' - "$LAB_DIR/$1" -a "$ADDRESS" "${@:2}"
        eventually 5000 grep -q 'listening on' "$OUT/stderr" || fail "it listens" "$(errors)"
        eventually 5000 eval '! all_below | grep -q " S head"' || fail "its reader to end" "$(all_below)"
        dial last
        await_end
        expect_status 1
        hang_up last
    done
}

@test "4w.14.1 each line is handed on, in both directions, before the connection ends" {
    because "who reads until end of file before writing hands on nothing as long as the two go on talking"
    start_relay
    fake_upstream "accept $UPSTREAM" 'expect ^one$' 'send two\n' 'expect ^three$' 'send four\n' expect-end
    dial client
    say client 'one\n'
    hear client '^two$'
    say client 'three\n'
    hear client '^four$'
    hang_up client
    expect_played
}

@test "4w.14.2 the client's half-close is passed on, and the answer still comes" {
    because "close(2) ends both directions; shutdown(2) with SHUT_WR says alone that nothing more comes"
    start_relay
    fake_upstream "accept $UPSTREAM" expect-end 'send that was all\n' close
    play "connect $ADDRESS $PORT" 'send a request without end' half-close 'expect ^that was all$' expect-end
    expect_played
}

@test "4w.14.3 the server's half-close is passed on, and the client may still speak" {
    because "each direction has an end of its own: the connection is over when both have ended"
    start_relay
    fake_upstream "accept $UPSTREAM" 'send bye\n' half-close 'expect ^wait$' 'expect ^now it is over$' expect-end
    play "connect $ADDRESS $PORT" 'expect ^bye$' expect-end 'send wait\n' 'send now it is over\n' half-close
    expect_played
}

@test "4w.14.4 a megabyte each way arrives as it was" {
    because "write(2) on a socket may take a part: the rest stays in the buffer, and nothing is read over it"
    needs socat
    start_relay
    start_echo
    make_megabyte
    beside
    supervise_with -i "$BATS_TEST_TMPDIR/megabyte"
    run_to_end socat -t 30 - "TCP:$ADDRESS:$PORT"
    expect_equal "bytes that came back" 1000000 "$(wc -c <"$OUT/stdout")"
    expect_that "the same bytes" cmp "$OUT/stdout" "$BATS_TEST_TMPDIR/megabyte"
}

@test "4w.14.5 a client that reads late loses nothing, and holds nobody up" {
    because "a buffer that is full reads no more: then TCP makes the sender wait. And wait in poll(2), never in write(2)"
    needs socat
    start_relay
    make_megabyte
    start_socat "SYSTEM:cat $BATS_TEST_TMPDIR/megabyte $BATS_TEST_TMPDIR/megabyte"
    dial late
    let_pass 300
    dial quick
    expect_equal "bytes for the quick one" 2000000 "$(timeout 20 head -c 2000000 <&"${LINES[quick]}" | wc -c)"
    timeout 20 cat <&"${LINES[late]}" >"$BATS_TEST_TMPDIR/copy"
    cat "$BATS_TEST_TMPDIR/megabyte" "$BATS_TEST_TMPDIR/megabyte" >"$BATS_TEST_TMPDIR/two"
    expect_that "the late one has all" cmp "$BATS_TEST_TMPDIR/copy" "$BATS_TEST_TMPDIR/two"
}

@test "4w.14.6 who has nothing to move sleeps in poll(2)" {
    because "an end that was read is readable for ever, and room to write is nearly always: ask poll(2) only for what you act on"
    start_relay
    fake_upstream "accept $UPSTREAM" 'send bye\n' half-close 'expect ^end$'
    dial client
    hear client '^bye$'
    hear_end client
    look_at relay
    expect_between "times that it was not asleep, of 20" 0 5 "$(times_awake "$(children_of "$PROGRAM_PID")")"
    say client 'end\n'
    expect_played
}

@test "4w.14.7 twenty connections at the same time do not mix" {
    because "what belongs to one connection is kept with it: a static buffer for all is one buffer"
    needs socat
    start_relay
    start_echo
    local i
    for i in {1..20}; do dial "$i"; done
    for i in {1..20}; do say "$i" "I am $i\\n"; done
    for i in {20..1}; do hear "$i" "^I am $i\$"; done
    for i in {1..20}; do hang_up "$i"; done
}

@test "4w.14.8 nobody listens at the server: the client's connection ends, it is told, and the relay goes on" {
    because "one connection that fails is no reason to end the others"
    start_relay
    dial client
    hear_end client
    look_at relay
    eventually 5000 grep -q "$UPSTREAM.*refused" "$OUT/stderr" || fail "a message that says where, and why" "$(errors)"
    fake_upstream "accept $UPSTREAM" 'send here I am\n' close
    dial again
    hear again '^here I am$'
}

@test "4w.14.9 a server that is gone before it has read all leaves the client its answer" {
    because "SIGPIPE, EPIPE: one direction has ended early. What came by the other before is still to be handed on"
    start_relay
    fake_upstream "accept $UPSTREAM" 'expect ^hello$' 'send enough\n' close
    dial client
    say client 'hello\n'
    hear client '^enough$'
    hear_end client
}

@test "4w.14.10 a connection on which nothing happens is ended" {
    because "poll(2) returns 0 when its time is over: a peer that was unplugged never says that it has gone"
    start_relay -t 300
    fake_upstream "accept $UPSTREAM" 'send hello\n' expect-end
    dial client
    hear client '^hello$'
    hear_end client
    expect_played
}

@test "4w.14.11 SIGTERM ends the relay and its connections, nothing is left, and it can start again at once" {
    because "connections that have just ended keep the port for a minute, TIME_WAIT: SO_REUSEADDR, socket(7)"
    start_relay
    fake_upstream "accept $UPSTREAM" 'send hello\n' expect-end
    dial client
    hear client '^hello$'
    stop_and_expect_nothing_left relay
    hear_end client
    beside
    start_server again relay -a "$ADDRESS" "$PORT" "$ADDRESS" "$UPSTREAM"
}

# ---- relay as an HTTP proxy

start_proxy() { start_server relay relay -h -a "$ADDRESS" "$PORT"; }

# A server for one request of this path, which answers with TEXT.
fake_http() {
    fake_upstream "accept $UPSTREAM" "expect ^GET $1 HTTP/1\\.[01].?\$" "expect ^Host: $ADDRESS:$UPSTREAM.?\$" \
        "send HTTP/1.0 200 OK\\r\\n\\r\\n$2\\n" close
}

# get NAME REQUEST-LINE: and hear the status
get() {
    dial "$1"
    say "$1" "$2\r\nHost: wrong.example\r\n\r\n"
    hear "$1" '^HTTP/1\.[01] [0-9]{3}'
    STATUS=${HEARD:9:3}
}

expect_get() {
    fake_http "$2" "for $2"
    get good "GET $1 HTTP/1.0"
    expect_equal "the status" 200 "$STATUS"
    hear good '^.?$'
    hear good "^for "
    hear_end good
    expect_played
}

@test "4w.15.1 a GET goes to the host and port in its URI, with the path alone and the right Host:" {
    because "a proxy is told the whole URI; a server wants the path, and the host in its header"
    start_proxy
    expect_get "http://$ADDRESS:$UPSTREAM/a/b.html?c=d" '/a/b\.html\?c=d'
}

@test "4w.15.2 no path is the path /, and HTTP:// is http://" {
    because "the host ends at a colon, a slash, a question mark, or where the string ends: strcspn(3)"
    start_proxy
    expect_get "HTTP://$ADDRESS:$UPSTREAM" '/'
}

@test "4w.15.3 a query without a path, and a colon in the path" {
    because "only a colon that comes before the first slash begins a port"
    start_proxy
    expect_get "http://$ADDRESS:$UPSTREAM?q=1:2" '/\?q=1:2'
}

@test "4w.15.4 what is no http URI is a bad request: 400" {
    because "every part may be missing, or be too long: a host of no letters, one letter too many, a port that is no number"
    start_proxy
    local uri host
    host=$(printf '%0253d' 0 | tr 0 a)      # the longest
    get bad "GET http://$host/ HTTP/1.0"
    expect_equal "the status for a host of 253 letters that nobody finds" 502 "$STATUS"
    for uri in / /index.html ftp://127.0.0.1/ http:// http:///path http://:80/ "http://$ADDRESS:/" "http://$ADDRESS:0/" \
        "http://$ADDRESS:80x/" "http://$ADDRESS:65536/" "http://a$host/" "http://aaaaaaa$host/" http:; do
        get bad "GET $uri HTTP/1.0"
        expect_equal "the status for $uri" 400 "$STATUS"
    done
}

@test "4w.15.5 a server that nobody reaches is a bad gateway: 502, and the next request is served" {
    because "the proxy is not at fault, and the client has to know: 502 says that it was the server behind it"
    start_proxy
    get bad "GET http://$ADDRESS:$UPSTREAM/ HTTP/1.0"
    expect_equal "the status" 502 "$STATUS"
    expect_get "http://$ADDRESS:$UPSTREAM/again" '/again'
}

@test "4w.15.6 other methods are refused, 501 or 405, and a GET after them is served" {
    because "a status says whether it was the method, the URI or the server"
    start_proxy
    local method
    for method in POST CONNECT BREW; do
        get bad "$method http://$ADDRESS:$UPSTREAM/ HTTP/1.0"
        expect_that "501 or 405, not $STATUS" test "$STATUS" = 501 -o "$STATUS" = 405
    done
    expect_get "http://$ADDRESS:$UPSTREAM/" '/'
}

@test "4w.15.7 a request that comes byte by byte is served; one without end is refused" {
    because "the head ends at an empty line, wherever read(2) has cut it; and what is read is bounded"
    start_proxy
    fake_http '/slow' 'at last'
    play "connect $ADDRESS $PORT" "slowly GET http://$ADDRESS:$UPSTREAM/slow HTTP/1.0\\r\\nA: b\\r\\n\\r\\n" \
        'expect ^HTTP/1.0 200' 'expect ^.?$' 'expect ^at last$' expect-end
    play "connect $ADDRESS $PORT" 'flood 100000' expect-end
    expect_played
}

@test "4w.15.9 who says more than its request still gets the whole answer" {
    because "what is not read when a connection is closed makes it a reset, and the answer under way is lost. net_discard() in net.h"
    needs socat
    start_proxy
    make_megabyte
    start_socat "SYSTEM:cat $BATS_TEST_TMPDIR/megabyte $BATS_TEST_TMPDIR/megabyte"
    look_at relay
    dial late
    say late "GET http://$ADDRESS:$UPSTREAM/ HTTP/1.0\r\n\r\nand more"
    await ' connected '
    let_pass 300
    expect_equal "bytes of the answer" 2000000 "$(timeout 20 cat <&"${LINES[late]}" 2>/dev/null | wc -c)"
}

@test "4w.15.10 headers that are for the proxy stay there, and doubtful ones are refused" {
    because "a header that the proxy reads in one way and the server in another smuggles a request past it"
    start_proxy
    fake_upstream "accept $UPSTREAM" 'expect ^GET / HTTP' 'expect ^Host: ' 'expect ^A: b' 'expect ^Connection: close' 'expect ^.?$' \
        'send HTTP/1.0 200 OK\r\n\r\n' close
    play "connect $ADDRESS $PORT" \
        "send GET http://$ADDRESS:$UPSTREAM/#part HTTP/1.0\r\nProxy-Authorization: Basic eA==\r\nA: b\r\n\r\n" 'expect ^HTTP/1.0 200'
    expect_played
    local header
    for header in 'Host : evil' ' A: b' 'no header'; do
        play "connect $ADDRESS $PORT" "send GET http://$ADDRESS:$UPSTREAM/ HTTP/1.0\r\n$header\r\n\r\n" 'expect ^HTTP/1.0 400' expect-close
    done
}

@test "4w.15.8 curl gets a page through the proxy" {
    because "curl sends the whole URI to a proxy, and the path alone to a server: curl -v -x shows it"
    needs curl
    start_proxy
    fake_http '/page' 'a page'
    run_beside env -u no_proxy -u NO_PROXY curl -s -x "http://$ADDRESS:$PORT" "http://$ADDRESS:$UPSTREAM/page"
    expect_status 0
    expect_output 'a page'
}

# ---- udp_echo

start_udp() { start_server server udp_echo_server -a "$ADDRESS" -p "$PORT" "$@"; }

# The client, to its end: OPTIONS and TEXTs
echo_texts() {
    local options=()
    while [[ $1 == -* ]]; do
        options+=("$1" "$2")
        shift 2
    done
    run_beside udp_echo -p "$PORT" ${options[@]+"${options[@]}"} "$ADDRESS" "$@"
}

@test "4w.16.1 each text comes back, in order" {
    because "sendto(2) needs the server's address each time: there is no connection that knows it"
    start_udp
    echo_texts one 'two  words' '' three
    expect_status 0
    expect_output $'one\ntwo  words\n\nthree'
    expect_equal "bytes on standard error" 0 "$(errors | wc -c)"
}

@test "4w.16.2 a datagram that is lost costs a time-out, and is sent again" {
    because "nobody tells of a lost datagram: whoever waits needs a deadline, poll(2), and then tries again"
    start_udp -l 2
    echo_texts -t 200 a b c d e
    expect_status 0
    expect_output $'a\nb\nc\nd\ne'
    expect_stderr '^udp_echo: .'
}

@test "4w.16.3 nobody answers: as many tries as were asked for, then a message and exit 1" {
    because "retries come on top of the first try; and a loop without a count is a hang"
    start_udp -l 1
    echo_texts -t 100 -r 2 hello
    expect_status 1
    expect_stderr '^udp_echo: .'
    expect_no_output
    look_at server
    expect_equal "datagrams that came" 3 "$(count_of udp_echo_server lost)"
}

@test "4w.16.4 where nobody listens it ends in time, too" {
    because "the kernel tells a socket that is not connected nothing of ECONNREFUSED: the deadline does, udp(7)"
    echo_texts -t 100 -r 1 hello
    expect_status 1
    expect_stderr '^udp_echo: .'
    expect_no_output
}

@test "4w.16.5 an answer that comes too late is not taken for the next one's" {
    because "an answer that was late and not lost comes twice, after the retry: the number in front says what it belongs to"
    start_udp -d 150
    echo_texts -t 100 -r 100 a b c d
    expect_status 0
    expect_output $'a\nb\nc\nd'
}

# The client sends to a server that loses all; its port is told there.
start_unanswered() {
    start_udp -l 1
    named client
    start_beside udp_echo -p "$PORT" "$@" "$ADDRESS" hello
    look_at server
    await_event udp_echo_server lost
    CLIENT=$(events udp_echo_server lost | awk 'NR == 1 { print $4 }')
    look_at client
}
forge() { (printf '%s' "$1" >"/dev/udp/${CLIENT%:*}/${CLIENT#*:}") 2>/dev/null || true; }

@test "4w.16.6 an answer from elsewhere is no answer" {
    because "anybody may send to your port: recvfrom(2) says who it was"
    start_unanswered -t 1500 -r 0
    forge '1 hello'
    await_end
    expect_status 1
    expect_no_output
}

forge_until_end() { forge '1 hello' && test -e "$OUT/report"; }

@test "4w.16.7 datagrams that are ignored do not make the deadline later" {
    because "the time runs from sending, not from the last datagram: a deadline once, and then what is left of it"
    start_unanswered -t 500 -r 0
    eventually 8000 forge_until_end || fail "the client gives up after 500 ms" "it still waits after 8000 ms"
    await_end
    expect_status 1
}
