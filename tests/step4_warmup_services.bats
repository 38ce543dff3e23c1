# step4_warmup_services.bats - the warm-ups of step 4 that speak a protocol of text: wget, serve, upper_server.
#
#     LAB_DIR=solutions/step4_client/warmup bats tests/step4_warmup_services.bats
#
# wget talks to a scripted server (peer.c) and to Python's, where that is installed; the servers talk to the shell, and to nc,
# socat and curl, where those are.

# shellcheck disable=SC2016,SC2030,SC2031  # $ for another shell; a variable set in a test is meant for that test

load helpers
load tcp

PORT=8080

has_tool() { type -P "$1" >/dev/null || skip "$1 is not installed"; }

# ---- wget, and whom it asks

# web ACTION...: a server for one client, which does as the script says once that has come. web_says TEXT: it sends that, and
# reads until the client has closed: closed with unread bytes, a connection is reset, and the reply may be lost.
web() {
    WEB=web${#STARTS[@]}
    named "$WEB"
    start "$TESTS_DIR/peer" "listen $ADDRESS $PORT" "accept $PORT" "$@"
    await '^listening$'
}
web_says() { web "send $1" half-close expect-end; }
web_is_done() { look_at "$WEB" && await_end; }

# fetch [OPTIONS...] PATH
fetch() { run_to_end wget "${@:1:$#-1}" "$ADDRESS:$PORT" "${*: -1}"; }

# As wget has written it: the shell's own variables hold no zero bytes, and lose newlines at the end.
expect_body() {
    printf '%b' "$1" >"$BATS_TEST_TMPDIR/expected"
    cmp -s "$BATS_TEST_TMPDIR/expected" "$OUT/stdout" ||
        fail "on standard output, byte for byte: $1" "$(head -c 300 "$OUT/stdout" | od -An -c | head -n 8)"
    expect_status 0
}

expect_fetch_fails() {
    expect_status 1
    expect_stderr '^wget: .'
    expect_nothing_left
}

@test "4w.0.7 wget: -h prints the usage on standard output and exits 0" {
    because "a usage that was asked for is the result, not an error: stdout and 0, see EXIT STATUS in any man page"
    run_to_end wget -h
    expect_status 0
    expect_line '[Uu]sage'
}

@test "4w.0.8 wget: wrong usage is exit 2, and so is a path that would smuggle a line into the request" {
    because "what is put into a protocol of lines must not have a newline of its own: check it where it comes in"
    expect_wrong_usage wget
    expect_wrong_usage wget "$ADDRESS"
    expect_wrong_usage wget "$ADDRESS:0" /
    expect_wrong_usage wget "$ADDRESS:65536" /
    expect_wrong_usage wget "$ADDRESS:http" /
    expect_wrong_usage wget "$ADDRESS" no-slash
    expect_wrong_usage wget "$ADDRESS" $'/ HTTP/1.0\r\nX: y'
    expect_wrong_usage wget -t abc "$ADDRESS" /
    expect_wrong_usage wget -Z "$ADDRESS" /
}

@test "4w.7.1 wget asks with GET, the path, HTTP/1.0; then Host; then an empty line" {
    because "each line of HTTP ends with \\r\\n, there is one blank on both sides of the path, and the empty line says that the request is over: RFC 1945, 5"
    web $'expect ^GET /a/b\\?c=d HTTP/1\\.0\r$' "expect ^[Hh]ost: $ADDRESS:$PORT"$'\r$' $'expect ^\r$' 'tell complete'
    start wget "$ADDRESS:$PORT" '/a/b?c=d'
    look_at "$WEB"
    await '^complete$'
}

@test "4w.7.2 a request that is too long is not sent in part: a message, exit 1" {
    because "snprintf(3) returns how long the text would have been: more than the room, and it was cut, or write(2) sends what lies behind"
    web expect-refusal
    fetch "/$(printf '%4000s' '' | tr ' ' a)"
    expect_fetch_fails
    web_is_done
    expect_status 0
    # 2047 bytes and a '\0' just fit into the room; with one more the '\0' takes the place of the last newline.
    local rest="GET / HTTP/1.0..Host: $ADDRESS:$PORT...." path
    path=/$(printf "%$((2047 - ${#rest}))s" '' | tr ' ' a)
    web 'expect ^GET' 'expect ^Host' $'expect ^\r$'
    start wget "$ADDRESS:$PORT" "$path"
    web_is_done
    expect_status 0
    web expect-refusal
    fetch "${path}a"
    expect_fetch_fails
    web_is_done
    expect_status 0
}

@test "4w.8.1 the body is on standard output, and nothing of the header; exit 0" {
    because "the header ends at the first empty line: what follows is the body, to the end of file. RFC 1945, 6"
    web_says 'HTTP/1.0 200 OK\r\nServer: x\r\nContent-Type: text/plain\r\n\r\nhello\nworld\n'
    fetch /
    expect_body 'hello\nworld\n'
    expect_equal "standard error" "" "$(errors)"
    expect_nothing_left
}

@test "4w.8.2 header and body come a byte at a time, and are told apart all the same" {
    because "a stream has no messages: one read(2) may bring half a line, the header's end and the body's beginning in any pieces. tcp(7)"
    web 'slowly HTTP/1.0 200 OK\r\nContent-Length: 12\r\n\r\n\r\nhello\n\r\nx\n' half-close expect-end
    fetch /
    expect_body '\r\nhello\n\r\nx\n'
}

@test "4w.8.3 the body's bytes stay as they are: zero bytes, empty lines, no newline at the end" {
    because "a body is bytes and no string: strlen(3) and printf(3)'s %s stop at a zero byte. Count what read(2) has returned"
    web_says 'HTTP/1.0 200 OK\r\n\r\n\r\n\r\na\0b\0\n\nc'
    fetch /
    expect_body '\r\n\r\na\0b\0\n\nc'
}

@test "4w.8.4 an empty body is a body, and a header of 1000 fields is read to its end" {
    because "the header may need several read(2)s: each puts its bytes behind those that are there already"
    local fields
    fields=$(seq -f 'X-%04g: abc\r\n' 1000 | tr -d '\n')
    web "send HTTP/1.1 204 No Content\\r\\n$fields" 'send \r\n' half-close expect-end
    fetch /
    expect_body ''
}

@test "4w.8.5 a megabyte arrives whole" {
    because "a large body takes many read(2)s; the end of file alone is its end"
    web 'send HTTP/1.0 200 OK\r\nContent-Length: 1000000\r\n\r\nx' 'flood 999999' half-close expect-end
    fetch /
    expect_equal "bytes on standard output" 1000000 "$(wc -c <"$OUT/stdout")"
    expect_equal "bytes that are not x" 0 "$(tr -d x <"$OUT/stdout" | wc -c)"
    expect_status 0
}

@test "4w.8.6 what is not 2xx is a failure: the status on standard error, no body, exit 1" {
    because "the page that comes with a 404 is for people; who has asked for a file must not get it in its place"
    local status
    for status in '404 Not Found' '500 Internal Server Error' '301 Moved Permanently'; do
        web_says "HTTP/1.0 $status\\r\\n\\r\\nsorry\\n"
        fetch /
        expect_fetch_fails
        expect_stderr "$status"
        expect_no_output
        web_is_done
    done
}

@test "4w.8.7 a body that is shorter or longer than its Content-Length is a failure" {
    because "the end of file also comes when a server dies half-way: only the promised length shows that something is missing"
    local length
    for length in 7 5 0 x -6 99999999999999999999; do
        web_says "HTTP/1.0 200 OK\\r\\ncontent-length: $length\\r\\n\\r\\nhello\\n"
        fetch /
        expect_fetch_fails
        web_is_done
    done
}

@test "4w.8.8 a reply that ends within its header, or is no HTTP, is a failure" {
    because "read(2) returns 0 at the end of file, again and again: a loop that waits for the empty line must end with it"
    local reply
    for reply in '' 'HTTP/1.0 200 OK\r\n' 'HTTP/1.0 200 OK\r\nA: b' 'SSH-2.0-x\r\n\r\nhello\n' '\r\n\r\n' \
        'HTTP/1.0 2000 OK\r\n\r\nhello' 'HTTP/1.0\r\n200: OK\r\n\r\nhello' 'HTTP/1.0 200 OK\0\r\nContent-Length: 9\r\n\r\nhello'; do
        web_says "$reply"
        fetch /
        expect_fetch_fails
        expect_no_output
        web_is_done
    done
}

@test "4w.8.9 a header without end is given up" {
    because "what comes from outside has no length that you know: look whether there is room before you read"
    web 'send HTTP/1.0 200 OK\r\nA: ' 'flood 1000000' 'silence 20000'
    fetch /
    expect_fetch_fails
    expect_no_output
}

@test "4w.8.10 a server that falls silent, in the header or in the body, costs a time-out" {
    because "read(2) waits for ever; poll(2) says first whether something is there: read_some() asks it"
    web 'send HTTP/1.0 200 OK\r\n' 'silence 20000'
    fetch -t 300 /
    expect_fetch_fails
    expect_no_output
    PORT=8081
    web 'send HTTP/1.0 200 OK\r\n\r\nhel' 'silence 20000'
    fetch -t 300 /
    expect_fetch_fails
}

@test "4w.8.11 a server written by others: what python3 -m http.server has, byte for byte, and its 404" {
    because "a server that you have not written yourself knows whether your request is one"
    has_tool python3
    local site=$BATS_TEST_TMPDIR/site
    mkdir "$site"
    head -c 300000 /dev/urandom >"$site/random"
    start python3 -m http.server -b "$ADDRESS" -d "$site" "$PORT"
    eventually 20000 is_open "$PORT" || fail "python3 -m http.server listens" "it does not"
    fetch /random
    expect_status 0
    expect_that "the same bytes" cmp "$site/random" "$OUT/stdout"
    fetch /nothing
    expect_fetch_fails
    expect_stderr 404
    expect_no_output
}

# ---- serve

# start_serve COMMAND [ARG...]
start_serve() {
    start serve -a "$ADDRESS" "$PORT" "$@"
    SERVER=$PROGRAM_PID
    await "listening on $ADDRESS:$PORT\$"
}

# The commands of conversations that are over are nobody's children, and may take a moment to end.
is_alone() { (($(all_below | wc -l) <= 1)); }

stop_server() {
    ! stands_at_later_todo || return 0
    eventually 5000 is_alone || fail "nobody but the server, once its clients have left" "$(all_below)"
    send TERM "$SERVER"
    await_end
    expect_status 0
    expect_nothing_left
}

# The child in between is there for a moment, and no longer.
has_no_child() { [[ -z $(children_of "$SERVER") ]]; }
expect_no_child() { eventually 5000 has_no_child || fail "no child of the server, dead or alive" "$(all_below)"; }

@test "4w.0.9 serve: -h, and wrong usage" {
    because "-h is answered on standard output with 0; wrong usage on standard error with 2"
    run_to_end serve -h
    expect_status 0
    expect_line '[Uu]sage'
    expect_wrong_usage serve
    expect_wrong_usage serve "$PORT"
    expect_wrong_usage serve 0 cat
    expect_wrong_usage serve http cat
    expect_wrong_usage serve -Z "$PORT" cat
}

@test "4w.9.1 the command reads and writes the socket, and its end is the client's end of file" {
    because "dup2(2) makes the socket descriptor 0, 1 and 2: whatever then runs by exec(3) reads and writes the client"
    start_serve sh -c 'read -r line; echo "you said $line"'
    dial friend
    say friend 'hello\n'
    hear friend '^you said hello$'
    hear_end friend
}

@test "4w.9.2 what the command says on standard error goes to the client as well" {
    because "three descriptors are to be the client: STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO. dup2(2)"
    start_serve sh -c 'echo trouble >&2'
    dial friend
    hear friend '^trouble$'
    hear_end friend
}

@test "4w.9.3 three clients are served at the same time, and each connection is logged" {
    because "who waits for the command itself serves one client after the other: wait for the child in between, which is gone at once"
    start_serve cat
    local name
    for name in one two three; do dial "$name"; done
    for name in three one two; do
        say "$name" "I am $name\\n"
        hear "$name" "^I am $name\$"
    done
    await_count 3 'accepted 127\.[0-9.]+:[0-9]+$'
}

@test "4w.9.4 while its command runs, the server has no child" {
    because "the command's parent is to be gone: the child in between ends with _exit(2) as soon as it has forked. waitpid(2), credentials(7)"
    start_serve cat
    dial friend
    say friend 'hello\n'
    hear friend '^hello$'
    expect_no_child
}

@test "4w.9.5 twenty clients leave no zombie" {
    because "a child that has ended is a zombie until its parent waits for it: the one in between too. waitpid(2)"
    start_serve true
    local number
    for number in {1..20}; do
        dial friend
        hear_end friend
        hang_up friend
    done
    expect_no_child
    stop_server
}

@test "4w.9.6 the arguments reach the command one by one, dashes and blanks too" {
    because "execvp(3) takes the array as it is: no shell, so nothing is split or expanded"
    start_serve printf '%s\n' 'a  b' '$HOME' -x
    dial friend
    hear friend '^a  b$'
    hear friend '^\$HOME$'
    hear friend '^-x$'
    hear_end friend
}

has_line_of_stderr() { grep -qE "$1" "$OUT/stderr"; }

@test "4w.9.7 a command that does not exist: told in the server's log, end of file for the client; the server goes on" {
    because "exec(3) returns only if it has failed: then this process must end, or a second server runs behind your back"
    start_serve ./no-such-command
    local number
    for number in 1 2; do
        dial friend
        hear_end friend
        hang_up friend
    done
    await_count 2 ' accepted '
    eventually 5000 has_line_of_stderr '^serve: .*no-such-command' || fail "a message about ./no-such-command" "$(errors)"
    expect_no_child
    stop_server
}

@test "4w.9.8 the command has no descriptor but its three, and no signal ignored" {
    because "whatever is open and not close-on-exec stays open: a command that holds the listening socket keeps the port. fcntl(2), execve(2)"
    start_serve sh -c 'grep SigIgn: /proc/self/status; ls /proc/self/fd'
    dial friend
    hear friend 'SigIgn:[[:space:]][0-9a-f]*[08]0{7}$'     # of the signals 1 to 31
    local fd
    for fd in 0 1 2 3; do hear friend "^$fd\$"; done    # 3 is the directory that ls reads
    hear_end friend
}

@test "4w.9.9 clients that leave at once, some with a reset, do no harm" {
    because "one client's trouble is none of the others': the server itself neither reads nor writes the connection"
    start_serve sh -c 'echo hello; exec cat'
    named rude
    start "$TESTS_DIR/peer" 'times 30' "connect $ADDRESS $PORT" reset "connect $ADDRESS $PORT" close
    await_end
    look_at "${STARTS[0]}"
    dial friend
    hear friend '^hello$'
    say friend 'still there?\n'
    hear friend '^still there\?$'
    hang_up friend
    expect_no_child
    stop_server
}

@test "4w.9.10 SIGTERM ends the server with 0; a conversation under way is finished" {
    because "the command is no child of the server, and holds the socket by itself"
    supervise_with -g 10000
    start_serve cat
    dial friend
    say friend 'hello\n'
    hear friend '^hello$'
    send TERM "$SERVER"
    await_gone "$SERVER"
    say friend 'still there?\n'
    hear friend '^still there\?$'
    hang_up friend
    await_end
    expect_status 0
}

@test "4w.9.11 a web server in one line of shell, and wget fetches from it" {
    because "HTTP/1.0 is text on a connection: a command that reads lines and writes lines can serve it"
    start_serve sh -c 'while read -r line && [ "$line" != "$(printf "\r")" ]; do :; done; printf "HTTP/1.0 200 OK\r\n\r\nhello\n"'
    fetch /
    expect_body 'hello\n'
    ! type -P curl >/dev/null || expect_equal "curl gets" hello "$(curl -s -m 10 "http://$ADDRESS:$PORT/")"
}

@test "4w.9.12 clients written by others: nc and socat, those that are installed" {
    because "a client that you have not written yourself knows whether your server keeps to the rules"
    start_serve sh -c 'read -r line; echo "you said $line"'
    local said
    if type -P nc >/dev/null; then
        said=$(printf 'hello\n' | timeout 10 nc "$ADDRESS" "$PORT")
        expect_equal "nc hears" 'you said hello' "$said"
    fi
    if type -P socat >/dev/null; then
        said=$(printf 'hello\n' | timeout 10 socat -t 5 - "TCP:$ADDRESS:$PORT")
        expect_equal "socat hears" 'you said hello' "$said"
    fi
    [[ -n ${said:-} ]] || skip "neither nc nor socat is installed"
}

# ---- upper_server

start_upper() {
    start upper_server -a "$ADDRESS" -p "$PORT" "$@"
    SERVER=$PROGRAM_PID
    await "listening on $ADDRESS:$PORT\$"
}

@test "4w.0.10 upper_server: -h, and wrong usage" {
    because "-h is answered on standard output with 0; wrong usage on standard error with 2"
    run_to_end upper_server -h
    expect_status 0
    expect_line '[Uu]sage'
    expect_wrong_usage upper_server -p 0
    expect_wrong_usage upper_server -p 65536
    expect_wrong_usage upper_server -t abc
    expect_wrong_usage upper_server -Z
    expect_wrong_usage upper_server superfluous
}

@test "4w.10.1 each line comes back in upper case, the rest of it as it was" {
    because "toupper(3) takes an unsigned char, and what is no lower case letter it returns as it is"
    start_upper
    dial friend
    say friend 'Hello, World 1.2!\n'
    hear friend '^HELLO, WORLD 1\.2!$'
    say friend '\n'
    hear friend '^$'
    say friend 'd\0351j\0340 vu\n'
    LC_ALL=C hear friend $'^D\351J\340 VU$'
}

@test "4w.10.2 a line with one dot ends the connection; \\r before the newline is forgiven" {
    because "strcmp(3) returns 0 for strings that are equal; the line has lost its newline already"
    start_upper
    local dot
    for dot in '.\n' '.\r\n'; do
        dial friend
        say friend "hello\\n$dot"
        hear friend '^HELLO$'
        hear_end friend
        hang_up friend
    done
    # Who goes on after it is not heard, but gets its answers.
    play "connect $ADDRESS $PORT" "send a\\nb\\n.\\n$(printf '%060000d' 7)" \
        'expect ^A$' 'expect ^B$' expect-close
}

@test "4w.10.3 what only looks like a dot is a line like others" {
    because "one dot and nothing else: whoever looks at the first character alone sends more people away"
    start_upper
    dial friend
    local line
    for line in .. '. ' ' .' .a a.; do
        say friend "$line\\n"
        line=${line^^}
        hear friend "^${line//./\\.}\$"
    done
}

@test "4w.10.4 half a line waits for its end, and many lines at once are all answered" {
    because "a stream has no messages: one read(2) may bring half a line or five; poll(2) knows nothing of what was read already"
    start_upper
    dial friend
    say friend 'hel'
    let_pass 100
    say friend 'lo\na\nb\nc\nd\n'
    local answer
    for answer in HELLO A B C D; do hear friend "^$answer\$"; done
}

@test "4w.10.5 the longest line, 512 bytes, comes back whole; a longer one costs its sender the connection, and nobody else" {
    because "the newline takes the place of the '\\0': room for a line is room for its newline"
    start_upper
    local line
    line=$(printf '%512s' '' | tr ' ' a)
    dial friend
    dial babbler
    say friend "$line\\n"
    hear friend "^${line^^}\$"
    say babbler "a$line\\n"
    hear_end babbler
    say friend 'still there?\n'
    hear friend '^STILL THERE\?$'
}

@test "4w.10.6 many clients at the same time: each gets its own lines back" {
    because "one process serves all: what belongs to a client stands in the client's struct"
    start_upper
    local number
    for number in {1..20}; do
        dial "c$number"
        say "c$number" "first of $number\\n"
    done
    for number in {20..1}; do
        hear "c$number" "^FIRST OF $number\$"
        say "c$number" "second of $number\\n"
    done
    for number in {1..20}; do hear "c$number" "^SECOND OF $number\$"; done
}

@test "4w.10.7 a client that falls silent is sent away after -t MS, the others stay" {
    because "a deadline is set anew by each whole line, for each client alone"
    start_upper -t 2500
    dial silent
    dial busy
    say silent 'hello\nhalf a li'
    hear silent '^HELLO$'
    local number
    for number in {1..13}; do
        say busy "$number\\n"
        hear busy "^$number\$"
        let_pass 200
    done
    hear_end silent
    say busy 'still there?\n'
    hear busy '^STILL THERE\?$'
}

@test "4w.10.8 a client that does not read its answers holds nobody up" {
    because "write(2) to a client that does not read waits for ever where the socket is not O_NONBLOCK"
    start_upper
    named deaf
    start "$TESTS_DIR/peer" "connect $ADDRESS $PORT" 'babble 1000000 all work and no play\n' 'tell full' 'silence 20000'
    await '^full$' 20000
    look_at first
    dial friend
    say friend 'hello\n'
    hear friend '^HELLO$'
}

@test "4w.10.9 while all places are taken the next client waits, and is served when one leaves" {
    because "poll(2) is asked for the listening socket only while there is a place: until then the queue of listen(2) holds the client"
    start_upper
    named crowd
    start "$TESTS_DIR/peer" "crowd 64 $ADDRESS $PORT" 'tell here' "until $BATS_TEST_TMPDIR/go" close 'tell gone' 'silence 20000'
    await '^here$'
    look_at first
    await_count 64 ' accepted '
    dial friend
    say friend 'hello\n'
    let_pass 200
    expect_equal "clients admitted" 64 "$(grep -c ' accepted ' "$OUT/stdout")"
    touch "$BATS_TEST_TMPDIR/go"
    hear friend '^HELLO$'
}

@test "4w.10.12 when descriptors are used up the next client waits, and is served when one leaves" {
    because "who cannot be accepted now waits in the listener's queue: that is no reason to end, nor to try a million times a second"
    named upper
    start bash -c 'ulimit -n 8; exec "$@"' - "$LAB_DIR/upper_server" -a "$ADDRESS" -p "$PORT"
    await "listening on $ADDRESS:$PORT\$"
    local number
    for number in {1..8}; do dial "friend$number"; done
    say friend1 'first\n'
    hear friend1 '^FIRST$'
    for number in {1..7}; do hang_up "friend$number"; done
    say friend8 'last\n'
    hear friend8 '^LAST$'
}

@test "4w.10.10 SIGTERM ends it with 0, with clients there, and the next start has the port at once" {
    because "what the server has closed first is in TIME_WAIT: socket(7), SO_REUSEADDR"
    start_upper
    dial friend
    say friend 'hello\n'
    hear friend '^HELLO$'
    send TERM "$SERVER"
    await_end
    expect_status 0
    expect_nothing_left
    hear_end friend
    start_upper
    dial another
    say another 'hello\n'
    hear another '^HELLO$'
}

@test "4w.10.11 clients written by others: nc and socat, those that are installed" {
    because "a client that ends its lines by end of file, and not by a dot, still wants its answers"
    start_upper
    local said
    if type -P nc >/dev/null; then
        said=$(printf 'hello\nworld\n.\n' | timeout 10 nc "$ADDRESS" "$PORT" | paste -sd' ')
        expect_equal "nc hears" 'HELLO WORLD' "$said"
    fi
    if type -P socat >/dev/null; then
        said=$(printf 'hello\nworld\n' | timeout 10 socat -t 5 - "TCP:$ADDRESS:$PORT" | paste -sd' ')
        expect_equal "socat hears" 'HELLO WORLD' "$said"
    fi
    [[ -n ${said:-} ]] || skip "neither nc nor socat is installed"
}
