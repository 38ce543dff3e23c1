# step4_warmup_lines.bats - warm-ups of step 4, first part: line_server, line_client, turn_chat, talk, chat, seen from outside.
#
#     LAB_DIR=solutions/step4_client/warmup bats tests/step4_warmup_lines.bats
#
# Titles are claims; the number is the last TODO that the test needs. The words are explained in helpers.bash, tcp.bash and
# step4_warmup_lines.bash. What the programs say in their messages is theirs: only that they say something is asked.

# shellcheck disable=SC2012,SC2016,SC2030,SC2031  # $ for another shell; a variable set in a test is meant for that test

load helpers
load keyboard
load tcp
load step4_warmup_lines

PROGRAMS='line_server line_client turn_chat talk chat'

# ---- 4w.0: what is given

@test "4w.0.1 -h prints the usage on standard output and exits 0" {
    because "a usage that was asked for is the result, not an error: stdout and 0, see EXIT STATUS in any man page"
    local program
    for program in $PROGRAMS; do
        run_to_end "$program" -h
        expect_status 0
        expect_line '[Uu]sage'
        expect_equal "bytes on standard error" 0 "$(errors | wc -c)"
    done
}

@test "4w.0.2 nonsense in place of a port or an option is wrong usage: exit 2" {
    because "a port has 16 bits: htons(3) cuts off the rest of 65536 without a word. strtol(3) tells where it stopped"
    local program value
    for program in $PROGRAMS; do
        for value in abc '' -1 0 65536 99999999999999999999; do
            expect_wrong_usage "$program" -p "$value"
        done
        expect_wrong_usage "$program" -Z
        expect_wrong_usage "$program" -p
        expect_wrong_usage "$program" one too-many
    done
    expect_wrong_usage chat -n 0
    expect_wrong_usage chat -n 257
}

# ---- 4w.1: listen

@test "4w.1.1 line_server says where it listens, and clients can connect" {
    because "socket, bind, listen, in this order: before listen(2) the kernel refuses every client. See tcp(7)"
    start_server server line_server
    dial a
    await_client
}

@test "4w.1.2 it listens on the address that it was given, and on no other" {
    because "the address goes into bind(2). Without it, or with INADDR_ANY, all networks of this machine may connect: ip(7)"
    start_server server line_server
    expect_that "port $PORT of $ADDRESS is open" is_open "$PORT"
    ! is_open "$PORT" "$OTHER_ADDRESS" || fail "no connection to $OTHER_ADDRESS" "somebody listens there"
}

@test "4w.1.3 a port in use: a message that names it, exit 1, and the first server goes on" {
    because "bind(2) fails with EADDRINUSE. SO_REUSEADDR forgives connections that have ended, no server that listens: socket(7)"
    start_server server line_server
    expect_refusal line_server -a "$ADDRESS" -p "$PORT"
    expect_stderr "$PORT"
    look_at server
    dial a
    await_client
}

@test "4w.1.4 killed while a client is connected, it can be started at once on the same port" {
    because "who closes first keeps the address busy for a minute (TIME_WAIT), unless SO_REUSEADDR is set before bind(2): socket(7)"
    start_server server line_server
    dial a
    await_client
    kill_everything
    hear_end a
    hang_up a
    start_server again line_server
    dial b
    await_client
}

@test "4w.1.5 SIGINT and SIGTERM end line_server with status 0" {
    because "to be told to end is no failure. And a handler that only returns leaves it in accept(2): sigaction(2), SA_RESTART"
    local signal
    for signal in INT TERM; do
        start_server "$signal" line_server
        send "$signal" "$PROGRAM_PID"
        await_end
        expect_status 0
        expect_nothing_left
    done
}

@test "4w.1.6 clients that come while another one is served are not refused" {
    because "listen(2) says how many may wait: their connections are made by the kernel, accept(2) takes them up later"
    start_server server line_server
    dial a
    await_client
    local name
    for name in b c d e f g h; do
        dial "$name"
    done
}

@test "4w.1.7 a server that cannot write on standard output says so, and ends with status 1" {
    because "write(2) to a full disk fails with ENOSPC: whoever starts a server should learn that it says nothing"
    local program
    for program in line_server turn_chat talk chat; do
        local options=(-a "$ADDRESS" -p "$PORT")
        [[ $program != t* ]] || options+=(-l)
        run_to_end bash -c 'exec "$@" >/dev/full' - "$LAB_DIR/$program" "${options[@]}"
        expect_status 1
        expect_stderr "^$program: ."
        expect_nothing_left
    done
}

# ---- 4w.2: connect

@test "4w.2.1 line_client connects to the server" {
    because "EINPROGRESS is no failure: poll(2) waits, then SO_ERROR says how it went. EINVAL is one: the size is that of the struct. connect(2)"
    start_server server line_server
    start_typing client line_client -p "$PORT" "$ADDRESS"
    look_at server
    await_client
    look_at client
    let_pass 200
    expect_that "the client is still there, somebody may type" is_running "$PROGRAM_PID"
}

@test "4w.2.2 where nobody listens: a message that names the port, exit 1, at once" {
    because "ECONNREFUSED comes as errno, or, after EINPROGRESS, as SO_ERROR: then connect_in_time() has failed. connect(2)"
    expect_refusal line_client -p "$PORT" "$OTHER_ADDRESS"
    expect_stderr "$PORT"
}

@test "4w.2.3 turn_chat and talk find nobody either: exit 1" {
    because "a failed connect(2) leaves a socket that is good for nothing: the result of connect_in_time() says so"
    expect_refusal turn_chat -p "$PORT" "$OTHER_ADDRESS"
    expect_refusal talk -p "$PORT" "$OTHER_ADDRESS"
}

@test "4w.2.4 a server that takes no more connections costs the client its time-out, not minutes" {
    because "a host that says nothing is asked again for two minutes, tcp(7): so connect(2) is not waited for, poll(2) is, with a time"
    type -P socat >/dev/null || skip "needs socat: a server with a short queue"
    start socat -u "TCP-LISTEN:$PORT,bind=$ADDRESS,backlog=1" STDOUT
    eventually 5000 is_listening
    send STOP "$PROGRAM_PID"
    local name
    for name in fits fits-too may-fit last; do
        start_typing "$name" line_client -p "$PORT" -t 500 "$ADDRESS"
    done
    await_end
    expect_status 1
    expect_stderr "$PORT"
}

# ---- 4w.3: print the lines

@test "4w.3.1 line_server prints the lines that a client sends" {
    because "socket(2) gives bytes, as a pipe does. dialogue_await() makes lines of them, and says LINE_READY for each"
    start_server server line_server
    dial a
    say a 'hello\n'
    await '^hello$'
    say a 'one\ntwo\n\nfour\n'
    await '^four$'
    hang_up a
    await_message 'has hung up'
    expect_equal "lines of the client" $'hello\none\ntwo\n\nfour' "$(journal | sed 1d)"
}

@test "4w.3.2 a line that comes in pieces is printed once, when it is whole" {
    because "one write(2) is not one read(2): TCP is a stream of bytes, with no marks between the writes. tcp(7)"
    start_server server line_server
    dial a
    say a 'hel'
    let_pass 200
    expect_no_line hel
    say a 'lo wor'
    let_pass 100
    say a 'ld\r\n'
    await '^hello world$'
    expect_equal "lines with hel" 1 "$(journal | grep -c hel)"
}

@test "4w.3.3 when a client has gone, the next one is served: hung up, or killed" {
    because "the end of one client is the end of one connection: read(2) says 0, LINE_END, and the server goes back to accept(2)"
    start_server server line_server
    dial a
    say a 'first\n'
    await '^first$'
    hang_up a
    start_typing client line_client -p "$PORT" "$ADDRESS"
    type_to client 'second\n'
    look_at server
    await '^second$'
    look_at client
    kill_everything
    look_at server
    dial c
    say c 'third\n'
    await '^third$'
}

@test "4w.3.4 all that line_client is given arrives, in order, and it ends with status 0" {
    because "the client says shutdown(2) at its end; the server prints all before LINE_END, then closes. Only then the client ends"
    start_server server line_server
    seq -f 'line %g of a long text, so that it does not fit in one read' 20000 >"$BATS_TEST_TMPDIR/text"
    supervise_with -i "$BATS_TEST_TMPDIR/text"
    named client
    run_to_end line_client -p "$PORT" "$ADDRESS"
    expect_status 0
    expect_nothing_left
    look_at server
    expect_equal "the first difference between what was sent (<) and what was printed (>)" '' \
        "$(diff "$BATS_TEST_TMPDIR/text" <(journal | sed 1d) | head -n 3)"
}

@test "4w.3.5 a line without end is not waited for, nor kept: the server hangs up, and serves the next" {
    because "all that is read is bounded: LINE_ERROR with EMSGSIZE is an end too. A loop that only knows LINE_END goes on for ever"
    start_server server line_server
    dial a
    say a "$(printf '%0600d' 7)"
    dial b
    say b 'short\n'
    await '^short$'
    expect_no_line 0000
}

@test "4w.3.6 a silent client holds the next one up no longer than -t says" {
    because "dialogue_await() says LINE_NONE when the time is up: then this client is done, like one that has hung up"
    start_server server line_server -t 300
    dial silent
    await_client
    dial b
    say b 'my turn\n'
    await '^my turn$'
    hear_end silent
}

@test "4w.3.7 nothing that a client sends moves the cursor of who looks at it" {
    because "what came from outside is printed by dialogue_print(), which replaces control characters: console_codes(4)"
    start_server server line_server
    dial a
    say a '\033[2Jhello\007\302\2332J\n'
    await 'hello'
    ! journal | LC_ALL=C grep -qa -e $'[\033\007]' -e $'\302\233' || fail "no control characters" "$(journal | cat -v)"
}

@test "4w.3.8 line_client says that the server has gone, and ends with status 1, though nobody types" {
    because "while it waits for the keyboard, poll(2) looks at the socket as well: its end is readable, read(2) returns 0"
    start_server server line_server
    start_typing client line_client -p "$PORT" "$ADDRESS"
    type_to client 'hello\n'
    look_at server
    await '^hello$'
    kill_everything
    look_at client
    await_end
    expect_status 1
    expect_stderr '^line_client: .'
}

@test "4w.3.9 a frozen server does not hold line_client for longer than -t says" {
    because "a stopped process keeps its connections, and says nothing: only time tells. SO_RCVTIMEO and SO_SNDTIMEO, socket(7)"
    start_server server line_server
    dial a
    say a 'here\n'
    await '^here$'
    hang_up a
    send STOP "$PROGRAM_PID"
    yes 'a line' | head -c 10000000 >"$BATS_TEST_TMPDIR/text"
    supervise_with -i "$BATS_TEST_TMPDIR/text"
    named client
    run_to_end line_client -p "$PORT" -t 300 "$ADDRESS"
    expect_status 1
    expect_stderr '^line_client: .'
}

@test "4w.2.5 a server that goes on speaking does not hold line_client for longer than -t says; to be stopped for a while is no failure" {
    because "a time-out for each read(2) is none for the whole; and a read(2) that was stopped and continued may say EINTR: signal(7)"
    start "$TESTS_DIR/peer" "listen $ADDRESS $PORT" "accept $PORT" 'expect ^hello$' 'times 1000' 'send x' 'silence 20'
    await '^listening$'
    start_typing client line_client -p "$PORT" -t 1500 "$ADDRESS"
    type_to client 'hello\n'
    end_typing client
    look_at first
    await '^hello$'
    look_at client
    send STOP "$PROGRAM_PID"
    eventually 2000 is_in_state T "$PROGRAM_PID" || fail "it is stopped" "it is not"
    send CONT "$PROGRAM_PID"
    await_end 5000
    expect_status 1
    expect_stderr '^line_client: .*timed out'
}

@test "4w.3.10 socat and nc are clients, too" {
    because "a server serves whoever speaks its protocol: here, lines. A client that closes its half only has still ended: LINE_END"
    start_server server line_server
    local count=0
    if type -P socat >/dev/null; then
        echo 'from socat' | socat - "TCP:$ADDRESS:$PORT" 3>&-
        await '^from socat$'
        count=1
    fi
    if type -P nc >/dev/null; then
        echo 'from nc' | nc -w 1 "$ADDRESS" "$PORT" 3>&- || true
        await '^from nc$'
        count=1
    fi
    ((count > 0)) || skip "needs socat or nc"
}

# ---- 4w.4: take turns

# The two sides, called client and server; options for the client, and behind -- those for the server.
start_turns() {
    local for_client=()
    while (($# > 0)) && [[ $1 != -- ]]; do
        for_client+=("$1")
        shift
    done
    start_server server turn_chat -l "${@:2}"
    start_typing client turn_chat -p "$PORT" ${for_client[@]+"${for_client[@]}"} "$ADDRESS"
    look_at server
    await_client
}

# heard NAME LINE
heard() { look_at "$1" && await "^$2\$"; }

@test "4w.4.1 turn_chat: client and server talk in turns" {
    because "each side does the same loop: speak(), hear(), speak() ... Only where it begins differs"
    start_turns
    type_to client 'how are you?\n'
    heard server 'how are you.'
    type_to server 'well\n'
    heard client 'well'
    type_to client 'good\n'
    heard server 'good'
    type_to server 'bye\n'
    heard client 'bye'
}

@test "4w.4.2 a line typed out of turn waits for its turn" {
    because "after speak() it is not our turn any more, whether or not somebody types: the turn changes after each line"
    start_turns
    type_to client 'one\ntwo\n'
    heard server one
    let_pass 300
    expect_no_line '^two$'
    type_to server 'an answer\n'
    heard client 'an answer'
    heard server two
}

@test "4w.4.3 both begin with speaking (-s): the lines cross, both are heard, and the second one says so" {
    because "my_turn is what the caller says it is at the beginning. Each hears what is no answer: nobody has agreed who begins"
    start_server server turn_chat -l -s
    dial a
    await_client
    say a 'I begin\n'
    type_to server 'no, I\n'
    hear a '^no, I$'
    await '^I begin$'
    await_messages 2 '^turn_chat: '
}

@test "4w.4.4 both begin with waiting (-w): nothing is ever said, and after -t milliseconds both say why" {
    because "each waits for the other's line: a deadlock. Nobody sees it from inside; only that it takes long: a time-out"
    start_turns -w -t 300 -- -t 300
    type_to client 'hello\n'
    type_to server 'hello\n'
    await_messages 2 '^turn_chat: '
    expect_no_line hello
    look_at client
    await_messages 1 '^turn_chat: '
    expect_no_line hello
    send INT "$PROGRAM_PID"
    await_end
    look_at server
    await_end
    expect_status 0
    expect_nothing_left
}

@test "4w.4.5 when nothing more is typed on one side, both end with status 0" {
    because "speak() returns false at the end of the keyboard, hear() at the end of the connection: both end the loop"
    local name
    start_turns
    type_to client 'hello\n'
    heard server hello
    end_typing server
    for name in server client; do
        look_at "$name"
        await_end
        expect_status 0
        expect_nothing_left
    done
}

@test "4w.4.6 the end of the other side is seen at once, in our own turn too" {
    because "in our turn speak() looks at the keyboard and at the connection; it says false if either ends"
    start_turns
    kill_everything
    look_at client
    await_end
    expect_stderr '^turn_chat: .'
    expect_nothing_left
}

@test "4w.4.7 a conversation is of two: a third is refused" {
    because "a server that has its client and closes the listening socket accepts nobody else: listen(2), close(2)"
    start_turns
    ! is_open "$PORT" || fail "the connection refused" "somebody listens on port $PORT"
    type_to client 'still here\n'
    heard server 'still here'
}

# ---- 4w.5: talk

start_talk() {
    start_server server talk -l
    start_typing client talk -p "$PORT" "$ADDRESS"
    look_at server
    await_client
}

has_speaker() { [[ -n $(children_of "$PROGRAM_PID") ]]; }

# Both have ended, with this status.
expect_both_ended() {
    local name
    for name in server client; do
        look_at "$name"
        await_end
        expect_status "$1"
        expect_nothing_left
    done
}

@test "4w.5.1 talk: each side speaks whenever it likes" {
    because "one process waits for the keyboard and another for the socket: fork(2). None of them needs a turn"
    start_talk
    type_to server 'a\n'
    type_to server 'b\n'
    heard client b
    type_to client 'c\nd\n'
    heard server d
    type_to server 'e\n'
    heard client e
    expect_equal "lines that the client has printed" $'a\nb\ne' "$(journal)"
}

@test "4w.5.2 each side is two processes, and only while it lasts" {
    because "one fork(2) on each side: the child speaks, and must not come back from it: exit(3)"
    start_talk
    type_to server 'a\n'
    heard client a
    expect_equal "children of the client" 1 "$(children_of "$PROGRAM_PID" | wc -l)"
    look_at server
    expect_equal "children of the server" 1 "$(children_of "$PROGRAM_PID" | wc -l)"
    end_typing client
    expect_both_ended 0
}

@test "4w.5.3 when nothing more is typed on one side, all four processes end, with status 0" {
    because "the speaker's end is shutdown(2), heard by the other side. And who still waits for a keyboard is killed and waited for"
    start_talk
    type_to client 'bye\n'
    heard server bye
    end_typing server
    expect_both_ended 0
}

@test "4w.5.4 all that was typed before the end arrives" {
    because "the end of the keyboard comes behind all lines, and so does shutdown(2) on the wire: tcp(7) keeps the order"
    start_server server talk -l
    seq 5000 >"$BATS_TEST_TMPDIR/text"
    supervise_with -i "$BATS_TEST_TMPDIR/text"
    named client
    run_to_end talk -p "$PORT" "$ADDRESS"
    expect_both_ended 0
    look_at server
    expect_that "all 5000 lines were printed" cmp <(journal | sed 1d) "$BATS_TEST_TMPDIR/text"
}

@test "4w.5.5 SIGTERM, or Ctrl-C, ends one side with both its processes, and so the other" {
    because "kill(1) signals one process, the terminal all of the group. The hearer must end the speaker, and wait for it: waitpid(2)"
    start_talk
    look_at client
    send TERM "$PROGRAM_PID"
    expect_both_ended 0
    PORT=8081
    start_server again talk -l
    dial a
    await_client
    send_group INT
    await_end
    expect_status 0
    expect_nothing_left
    hear_end a
}

@test "4w.5.6 kill -9 of the hearer leaves no speaker behind, and the other side ends" {
    because "the speaker sees the end of the lifeline only if nobody has its writing end any more: nor the speaker itself. pipe(7)"
    start_talk
    look_at client
    send KILL "$PROGRAM_PID"
    await_end
    expect_all_gone_within 900
    look_at server
    await_end
    expect_nothing_left
}

@test "4w.5.12 kill -9 of the hearer ends a speaker that the other side does not listen to, too" {
    because "a write(2) to a full socket waits as long as the other side likes: what else is waited for must be waited for with it"
    start "$TESTS_DIR/peer" "listen $ADDRESS $PORT" "accept $PORT" 'tell here' 'silence 30000'
    await '^listening$'
    named client
    truncate -s 64M "$BATS_TEST_TMPDIR/text"
    supervise_with -i "$BATS_TEST_TMPDIR/text"
    start talk -p "$PORT" "$ADDRESS"
    look_at first
    await '^here$'
    look_at client
    let_pass 500
    send KILL "$PROGRAM_PID"
    await_end
    expect_all_gone_within 900
}

@test "4w.5.7 a speaker that is stopped does not keep its side from ending" {
    because "a stopped process acts on SIGKILL and SIGCONT alone; and a waitpid(2) without a kill(2) that works waits for ever"
    start_talk
    look_at client
    eventually 5000 has_speaker
    send STOP "$(children_of "$PROGRAM_PID")"
    end_typing server
    expect_both_ended 0
}

@test "4w.5.8 a speaker that dies ends the conversation, with status 1" {
    because "SIGCHLD tells of it, waitpid(2) how: by a signal. The pid must be known: speaker_pid. A side that cannot speak has failed"
    start_talk
    look_at client
    eventually 5000 has_speaker
    send KILL "$(children_of "$PROGRAM_PID")"
    await_end
    expect_status 1
    expect_nothing_left
    look_at server
    await_end
    expect_nothing_left
}

@test "4w.5.9 a peer that never ends is waited for no longer than -t says" {
    because "the other side may be any program. After our own end, hear() has a time-out: its result is the exit status"
    start_server server talk -l -t 300
    dial a
    await_client
    type_to server 'bye\n'
    end_typing server
    hear a '^bye$'
    hear_end a
    await_end
    expect_status 1
    expect_nothing_left
}

@test "4w.5.10 socat can be the other side" {
    because "the protocol is lines, both ways. socat closes its half at the end of its input, and talk ends too: shutdown(2)"
    type -P socat >/dev/null || skip "needs socat"
    start_server server talk -l
    start_typing client socat - "TCP:$ADDRESS:$PORT"
    type_to client 'from socat\n'
    heard server 'from socat'
    type_to server 'from talk\n'
    heard client 'from talk'
    end_typing client
    look_at server
    await_end
    expect_status 0
    expect_nothing_left
}

@test "4w.5.11 a side that cannot print ends with status 1, both its processes, and so the other side" {
    because "die() calls exit(3), which calls what atexit(3) was given, end_speaker(): in the speaker, which is no parent, too"
    start_server server talk -l
    supervise_with -i "$BATS_FILE_TMPDIR/never"
    named client
    start bash -c 'exec "$@" >/dev/full' - "$LAB_DIR/talk" -p "$PORT" "$ADDRESS"
    type_to server 'hello\n'
    await_end
    expect_status 1
    expect_stderr '^talk: .'
    expect_nothing_left
    look_at server
    await_end
    expect_nothing_left
}

# ---- 4w.6: chat

JOINS=0

# join NAME: dial, and wait until the server knows.
join() {
    dial "$1"
    JOINS=$((JOINS + 1))
    await_count "$JOINS" ' joined '
}

start_chat() { start_server chat chat "$@"; }

@test "4w.6.1 chat: each line goes to all the others, and not back" {
    because "poll(2) fills in revents for each of the descriptors: more than one may have something, so look at all of them"
    start_chat
    join a
    join b
    join c
    say a 'from a\n'
    hear b '^from a$'
    hear c '^from a$'
    say b 'from b\n'
    hear a '^from b$'
    hear c '^from b$'
    say c 'from c\n'
    hear a '^from c$'
    hear b '^from c$'
}

@test "4w.6.2 half a line waits for its other half, and lines are never mixed" {
    because "hear() reads what is there, and line.h keeps the half: nobody waits for the rest of it, not even the server"
    start_chat
    join a
    join b
    join c
    say a 'half of '
    say b 'whole\n'
    hear c '^whole$'
    say a 'it\nand more\n'
    hear c '^half of it$'
    hear c '^and more$'
}

# listen_in NAME: a client that prints what it hears, by talk.
listen_in() {
    start_typing "$1" talk -p "$PORT" "$ADDRESS"
    look_at chat
    JOINS=$((JOINS + 1))
    await_count "$JOINS" ' joined '
}

# say_much NAME N: 20 KB in 40 lines, and then a line `end of N`, which who is called listener has heard.
say_much() {
    say "$1" "$(for _ in {1..40}; do printf '%0500d\\n' 0; done)end of $2\n"
    heard listener "end of $2"
    look_at chat
}

@test "4w.6.3 one that stops reading holds nobody up, and is dropped in the end" {
    because "write(2) waits for who does not read, unless O_NONBLOCK: then the rest is kept, flush() writes it at POLLOUT; up to a bound"
    supervise_with -t 120000
    start_chat
    join deaf
    join speaker
    supervise_with -t 120000
    listen_in listener
    local number=0
    until grep -q ' left ' "$OUT/stdout"; do
        ((++number <= 500)) || fail "who does not read is dropped, some time" "it is not, after 10 MB"
        say_much speaker "$number"
    done
    type_to listener 'still here\n'
    hear speaker '^still here$'
    expect_equal "clients that left" 1 "$(journal | grep -c ' left ')"
}

@test "4w.6.4 what a client does not take at once it gets later, complete" {
    because "POLLOUT means: it reads again. Then flush() goes on where it stopped"
    start_chat
    join speaker
    listen_in listener
    listen_in slow
    look_at slow
    send STOP "$PROGRAM_PID"
    local number
    for number in {1..12}; do
        say_much speaker "$number"
    done
    look_at slow
    send CONT "$PROGRAM_PID"
    heard slow 'end of 12'
    expect_equal "lines" $((12 * 41)) "$(journal | wc -l)"
}

@test "4w.6.5 a line without end costs its sender the connection, and the others nothing" {
    because "all that is kept is bounded. hear() says what it thinks of it; here it is enough to ask it, whatever revents says"
    start_chat
    join a
    join b
    join c
    say a "$(printf '%0600d' 7)"
    hear a .
    hear_end a
    say b 'short\n'
    hear c '^short$'
    play "connect $ADDRESS $PORT" "send $(printf '%060000d' 7)" 'expect ^chat: a line has at most' expect-close
}

@test "4w.6.6 clients may leave at any moment, in any way" {
    because "the end is readable, or POLLHUP, or POLLERR: each is a reason for hear(). And EPIPE is the end of one client: signal(7)"
    start_chat
    join a
    join b
    join c
    local round
    for round in 1 2 3 4 5; do
        join gone
        say gone 'half'
        say a "$round one\n"
        hang_up gone                # with lines that it has not read: a reset
        say a "$round two\n"
        hear b "^$round one\$"
        hear b "^$round two\$"
    done
    hang_up a
    await_count 6 ' left '
    say c 'still here\n'
    hear b '^still here$'
}

@test "4w.6.7 it keeps no descriptor of those who left" {
    because "a server runs for months: one descriptor lost for each client is the end of it. ls -l /proc/PID/fd"
    start_chat
    local before number
    join a
    before=$(ls "/proc/$PROGRAM_PID/fd" | wc -l)
    for number in {1..20}; do
        join "b$number"
    done
    for number in {1..20}; do
        hang_up "b$number"
    done
    await_count 20 ' left '
    expect_equal "descriptors" "$before" "$(ls "/proc/$PROGRAM_PID/fd" | wc -l)"
    expect_equal "children" 0 "$(children_of "$PROGRAM_PID" | wc -l)"
}

@test "4w.6.8 beyond -n clients, the next one waits until there is a place" {
    because "the listener is asked only while there is room: fds[count] is -1 then, and poll(2) passes over it"
    start_chat -n 2
    join a
    join b
    dial c
    say c 'from c\n'
    say a 'from a\n'
    hear b '^from a$'
    let_pass 200
    expect_equal "clients" 2 "$(journal | grep -c ' joined ')"
    hang_up a
    hear b '^from c$'
}

@test "4w.6.9 stopped and continued, it goes on; SIGTERM ends it with status 0, and it can be started again" {
    because "what came while it was stopped is there still: poll(2) tells. For the new start: SO_REUSEADDR, TODO 4w.1"
    start_chat
    join a
    join b
    send STOP "$PROGRAM_PID"
    let_pass 100
    send CONT "$PROGRAM_PID"
    let_pass 100
    say a 'hello\n'
    hear b '^hello$'
    send TERM "$PROGRAM_PID"
    await_end
    expect_status 0
    expect_nothing_left
    hear_end a
    start_server again chat
    JOINS=0
    join c
}

@test "4w.6.10 three who talk by talk" {
    because "the client is the one of the last warm-up: it needs to know nothing of the others"
    start_chat
    local name
    for name in ann bob eve; do
        start_typing "$name" talk -p "$PORT" "$ADDRESS"
    done
    look_at chat
    await_count 3 ' joined '
    type_to ann 'hello\n'
    heard bob hello
    heard eve hello
    end_typing ann
    look_at ann
    await_end
    type_to bob 'she has left\n'
    heard eve 'she has left'
}
