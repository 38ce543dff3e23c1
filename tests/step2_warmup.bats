# step2_warmup.bats - the warm-ups of step 2 seen from outside: echo, many and chat over named pipes.
#
#     LAB_DIR=solutions/step2_fifo/warmup bats tests/step2_warmup.bats
#
# Knows the handout, step2_fifo/warmup/README.md, and message.h. Titles are claims. The words are explained in helpers.bash
# and step2_warmup.bash.

# shellcheck disable=SC2016,SC2030,SC2031,SC2154  # $ for another shell; variables that other files set

load helpers
load keyboard
load step2_warmup

PROGRAMS='echo_server echo_client many_server many_client chat_server chat_client'

has_open() { find "/proc/$1/fd" -lname "$2" 2>/dev/null | grep -q .; }

@test "2w.0.1 -h prints the usage on standard output and exits 0" {
    because "a usage that was asked for is the result, not an error: stdout and 0, see EXIT STATUS in any man page"
    local program
    for program in $PROGRAMS; do
        run_to_end "$program" -h
        expect_status 0
        expect_line '[Uu]sage'
        expect_equal "bytes on standard error" 0 "$(errors | wc -c)"
    done
}

@test "2w.0.2 wrong options and arguments are wrong usage: exit 2" {
    because "getopt(3) returns '?' for what it does not know; and somebody has to count what is left behind optind"
    local program
    for program in $PROGRAMS; do
        expect_wrong_usage "$program" -Z
        expect_wrong_usage "$program" -d
        expect_wrong_usage "$program" one two three
    done
    for program in echo_client many_client chat_client; do
        expect_wrong_usage "$program"
    done
    expect_wrong_usage many_server -m 0
    expect_wrong_usage chat_server -m 65
    expect_wrong_usage chat_client /tmp/fifo 'a name'
}

# ---- echo

@test "2w.1.1 the server makes a pipe named after its pid, mode 0600, and says where" {
    because "mkfifo(3) makes the name, with a mode that the umask takes bits away from"
    umask 0
    start_server echo_server
    expect_that "$FIFO is a named pipe" test -p "$FIFO"
    expect_equal "where it is" "$PIPES/echo_server-$PROGRAM_PID" "$FIFO"
    expect_equal "its mode" 600 "$(mode_of "$FIFO")"
}

@test "2w.1.2 SIGINT, SIGTERM and SIGHUP end it in good order, and its pipe goes" {
    because "atexit(3) calls at exit(3), and only what it was given before"
    local signal
    for signal in INT TERM HUP; do
        start_server_again "$signal" echo_server
        send "$signal" "$PROGRAM_PID"
        await_end
        expect_status 0
        expect_pipes 0
    done
}

# start_server_again NAME PROGRAM: several servers in one test
start_server_again() {
    make_pipes_directory
    named "$1"
    start "$2" -d "$PIPES"
    await '^Fifo created: /'
}

@test "2w.1.3 a directory that is not there: a message, exit 1" {
    because "every call can fail: mkfifo(3) says -1 and errno"
    expect_refusal echo_server -d "$BATS_TEST_TMPDIR/missing"
}

@test "2w.1.4 a name that is taken: a message, exit 1, and what was there stays" {
    because "mkfifo(3) says EEXIST for what is somebody else's: then there is nothing of ours to remove. Who calls atexit(3) first?"
    make_pipes_directory
    run_to_end bash -c 'echo treasure >"$2/echo_server-$$" && exec "$1" -d "$2"' - "$LAB_DIR/echo_server" "$PIPES"
    expect_status 1
    expect_stderr '^echo_server: .'
    expect_equal "what is in the other's file" treasure "$(cat "$PIPES"/echo_server-*)"
}

@test "2w.2.1 a pipe that nobody reads: the client says so, exits 1 at once, and its own pipe goes" {
    because "open(2) of a FIFO waits for somebody at the other end, for ever if nobody comes: fifo(7), O_NONBLOCK, ENXIO"
    make_pipes_directory
    mkfifo "$BATS_TEST_TMPDIR/fifo"
    start echo_client -d "$PIPES" "$BATS_TEST_TMPDIR/fifo"
    await_end 5000
    expect_status 1
    expect_stderr '^echo_client: .'
    expect_pipes 0
}

@test "2w.2.2 no pipe at all: a message, exit 1, and a file stays as it is" {
    because "open(2) makes no difference between a file and a FIFO, fstat(2) does; and O_CREAT, O_TRUNC are not for what is somebody else's"
    make_pipes_directory
    echo treasure >"$BATS_TEST_TMPDIR/file"
    local path
    for path in "$BATS_TEST_TMPDIR/file" "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/missing"; do
        expect_refusal echo_client -d "$PIPES" "$path"
    done
    expect_equal "what is in the file" treasure "$(<"$BATS_TEST_TMPDIR/file")"
    expect_that "nothing is made" test ! -e "$BATS_TEST_TMPDIR/missing"
    expect_pipes 0
}

@test "2w.2.3 a client whose pipe is none, or that does not read: the server says so, exit 1" {
    because "what comes through a pipe may be anything: open(2) tells, and nobody is to be waited for"
    local path
    echo treasure >"$BATS_TEST_TMPDIR/file"
    mkfifo "$BATS_TEST_TMPDIR/fifo"
    for path in "$BATS_TEST_TMPDIR/file" "$BATS_TEST_TMPDIR/fifo" /missing/fifo; do
        start_server_again "for-${path##*/}-${path:1:1}" echo_server
        FIFO=$(pipes | head -n 1)
        printf '%s\n' "$path" 1<>"$FIFO"
        await_end
        expect_status 1
        expect_stderr '^echo_server: .'
        expect_pipes 0
    done
    expect_equal "what is in the file" treasure "$(<"$BATS_TEST_TMPDIR/file")"
}

@test "2w.2.4 the server opens the client's pipe for writing" {
    because "O_WRONLY, and a descriptor that is kept: open(2)"
    start_server echo_server
    open_box client
    local fd
    exec {fd}<>"$FIFO"      # held open, so that it does not end
    printf '%s\n' "${BOX[client]}" >&"$fd"
    eventually 10000 has_open "$PROGRAM_PID" "${BOX[client]}" || fail "the client's pipe open in the server" "it is not"
}

# The test is the server: its pipe is the box `server`.
start_client_of_ours() {
    open_box server
    FIFO=${BOX[server]}
    start_client client echo_client
}

@test "2w.3.1 the client's first line is the path of its pipe, which is its own, mode 0600" {
    because "the server cannot guess what the client's pipe is called: and a line is one only with its newline"
    umask 0
    start_client_of_ours
    read_line server
    expect_equal "the first line" "$PIPES/echo_client-$PROGRAM_PID" "$HEARD"
    expect_that "$HEARD is a named pipe" test -p "$HEARD"
    expect_equal "its mode" 600 "$(mode_of "$HEARD")"
}

@test "2w.3.2 when the server learns the path, the client reads there already" {
    because "the server opens the client's pipe at once and waits for nobody: ENXIO, if nobody reads there yet. fifo(7)"
    open_box server
    FIFO=${BOX[server]}
    # So full that the client cannot send anything yet.
    dd if=/dev/zero of="$FIFO" bs=512 count=10000 oflag=nonblock conv=notrunc 2>/dev/null || true
    start_client client echo_client
    expect_pipes 1
    eventually 4000 has_open "$PROGRAM_PID" "$(pipes)" || fail "the client's own pipe open, before its path is sent" "it is not"
}

@test "2w.3.3 what comes back goes to standard output" {
    because "the path is said once; then the bytes of standard input go, and as many are waited for"
    start_client_of_ours
    read_line server
    local path=$HEARD
    type_to client 'hello\n'
    read_line server
    expect_equal "what the client sends" hello "$HEARD"
    eventually 10000 has_open "$PROGRAM_PID" "$path" || fail "a client that reads" "it does not"
    echo HELLO 1<>"$path"
    await '^HELLO$'
}

@test "2w.3.4 at the end of its input the client ends, exit 0, and its pipe goes" {
    because "read(2) returns 0 at the end of a file: nothing more is to be sent"
    start_client_of_ours
    read_line server
    end_typing client
    await_end
    expect_status 0
    expect_pipes 0
}

@test "2w.3.5 SIGINT, SIGTERM and SIGHUP end the client, and its pipe goes" {
    because "who ends by a signal's default action does not come to exit(3): the signal has to be caught"
    open_box server
    FIFO=${BOX[server]}
    local signal
    for signal in INT TERM HUP; do
        start_client "$signal" echo_client
        read_line server
        send "$signal" "$PROGRAM_PID"
        await_end
        expect_status 0
        expect_pipes 0
    done
}

@test "2w.3.6 a server that ends before it has answered: a message, exit 1" {
    because "read(2) returns 0 when nobody has the writing end open any more"
    start_client_of_ours
    read_line server
    local path=$HEARD fd
    exec {fd}>"$path"
    type_to client 'hello\n'
    read_line server
    exec {fd}>&-
    await_end
    expect_status 1
    expect_stderr '^echo_client: .'
    expect_pipes 0
}

@test "2w.3.7 a server that does not answer is not waited for for ever" {
    because "a silent server keeps its pipe open: no end of file ever comes. Who waits needs a deadline: pselect(2)"
    start_client_of_ours
    read_line server
    type_to client 'hello\n'
    await_end
    expect_status 1
    expect_stderr '^echo_client: .'
    expect_pipes 0
}

@test "2w.4.1 what the client sends comes back unchanged, 300,000 bytes of it" {
    because "one read(2) brings what is there, not what was asked for: what it returns is how much is to be sent back"
    start_server echo_server
    make_pipes_directory
    head -c 300000 /dev/urandom >"$BATS_TEST_TMPDIR/input"
    named client
    supervise_with -i "$BATS_TEST_TMPDIR/input"
    start echo_client -d "$PIPES" "$FIFO"
    await_end 30000
    expect_status 0
    expect_that "output and input are the same" cmp "$BATS_TEST_TMPDIR/input" "$OUT/stdout"
}

@test "2w.4.2 each line comes back before the next is typed" {
    because "an echo that waits for more than there is keeps everybody waiting: send back what one read(2) has brought"
    start_server echo_server
    start_client client echo_client
    local word
    for word in one two three; do
        type_to client "$word\n"
        await "^$word\$"
    done
}

@test "2w.4.3 when the client has left, the server ends, exit 0, and both pipes are gone" {
    because "read(2) returns 0 when the last writing end is closed: that is the end, and no error"
    start_server echo_server
    start_client client echo_client
    type_to client 'hello\n'
    await '^hello$'
    end_typing client
    await_end
    expect_status 0
    look_at server
    await_end
    expect_status 0
    expect_nothing_left
    expect_pipes 0
}

@test "2w.4.4 what comes behind the path in the same write is echoed, too" {
    because "a pipe carries bytes, not messages: what was written in two parts may be read in one, and the other way round: pipe(7)"
    start_server echo_server
    open_box client
    printf '%s\nhello\n' "${BOX[client]}" 1<>"$FIFO"
    read_line client
    expect_equal "the echo" hello "$HEARD"
}

@test "2w.4.5 a client killed with SIGKILL: the server ends, and its pipe goes" {
    because "the kernel closes what a dead process had open, however it died: the pipe ends"
    start_server echo_server
    start_client client echo_client
    type_to client 'hello\n'
    await '^hello$'
    send KILL "$PROGRAM_PID"
    look_at server
    await_end
    expect_ended
    expect_that "its pipe is gone" test ! -e "$FIFO"
}

@test "2w.4.6 SIGTERM to the server in the midst of it: its pipe goes, and the client does not wait for ever" {
    because "the wait that a signal interrupts is over: what does await_readable() return then?"
    start_server echo_server
    start_client client echo_client
    type_to client 'hello\n'
    await '^hello$'
    look_at server
    send TERM "$PROGRAM_PID"
    await_end
    expect_status 0
    look_at client
    type_to client 'still there?\n'
    await_end
    expect_status 1
    expect_pipes 0
}

@test "2w.4.7 a client that does not read does not hold the server for ever" {
    because "a pipe holds 64 KiB on Linux, and then a writer waits: for whom, and how long? pipe(7)"
    start_server echo_server
    open_box client
    timeout 20 bash -c 'exec >"$1" && echo "$2" && head -c 200000 /dev/zero' - "$FIFO" "${BOX[client]}" 2>/dev/null || true
    await_end
    expect_status 1
    expect_that "its pipe is gone" test ! -e "$FIFO"
}

# ---- many

# A client that the test plays: with a box of its name, and $1 as its pid.
join_as() {
    open_box "$2"
    post "$JOIN" "$1" "$2" "${BOX[$2]}"
    await_new "\\] joined $2\$"
}
welcome_as() {
    join_as "$@"
    expect_message "$2" "$WELCOME" server ''
}
is_alive() { [[ ! -e $OUT/report ]] && is_running "$PROGRAM_PID"; }

@test "2w.5.1 who sends a message with its name and its pipe has joined" {
    because "a message is one read(2) of its size: no more, or the next one's beginning is gone; no less (what is sizeof a pointer?)"
    start_server many_server
    join_as 4711 anne
}

@test "2w.5.2 two messages that lie in the pipe at the same time are two" {
    because "a read(2) of more than one message's size takes the next one along, and nobody sees it again"
    start_server many_server
    open_box anne
    send STOP "$PROGRAM_PID"
    { record "$LEAVE" 77 bert '' && record "$JOIN" 4711 anne "${BOX[anne]}"; } >"$BATS_TEST_TMPDIR/both"
    post_file "$BATS_TEST_TMPDIR/both"
    send CONT "$PROGRAM_PID"
    await '\] joined anne$'
    expect_stderr '77'
}

@test "2w.5.3 what is no message is refused, and the server lives on" {
    because "what comes from outside may be anything: its size, its kind, strings that do not end. Whoever shifts the pipe by some bytes shifts all messages behind them"
    start_server many_server
    local rubbish=$BATS_TEST_TMPDIR/rubbish count=0
    rubbish_goes_in() {
        post_file "$rubbish"
        await_errors $((++count))
        expect_that "the server lives" is_alive
    }
    printf 'hello\n' >"$rubbish"
    rubbish_goes_in
    head -c 511 /dev/zero >"$rubbish"
    rubbish_goes_in
    record 99 4711 anne /somewhere >"$rubbish"
    rubbish_goes_in
    record "$JOIN" 4711 "$(printf '%024d' 0)" "$(printf '%0480d' 0)" >"$rubbish"
    rubbish_goes_in
    join_as 4711 anne
}

@test "2w.5.4 who joins with a path that is no pipe, or that nobody reads, is refused" {
    because "a server does not end because of one client, and does not wait for it either"
    start_server many_server
    echo treasure >"$BATS_TEST_TMPDIR/file"
    mkfifo "$BATS_TEST_TMPDIR/fifo"
    post "$JOIN" 4711 anne "$BATS_TEST_TMPDIR/file"
    await_errors 1
    post "$JOIN" 4711 anne "$BATS_TEST_TMPDIR/fifo"
    await_errors 2
    post "$JOIN" 4711 anne /missing/fifo
    await_errors 3
    join_as 4711 anne
    expect_equal "what is in the file" treasure "$(<"$BATS_TEST_TMPDIR/file")"
}

@test "2w.5.5 SIGINT and SIGTERM end the server, also under a flood of messages" {
    because "the pipe is ready all the time, and a wait that does not wait lets no signal in: ready.c"
    local signal
    for signal in INT TERM; do
        start_server_again "$signal" many_server
        FIFO=$(pipes | head -n 1)
        flood "$FIFO" &
        local flooder=$!
        await_errors 50
        send "$signal" "$PROGRAM_PID"
        await_end
        kill "$flooder" 2>/dev/null || true
        wait "$flooder" 2>/dev/null || true
        expect_status 0
        expect_pipes 0
    done
}

# Until nobody reads any more.
flood() { (while [[ -p $1 ]]; do head -c 6000 /dev/zero 1<>"$1"; done) >/dev/null 2>&1 3>&-; }

# ---- many, with the clients

start_many() {
    start_server many_server
    local name
    for name; do
        start_client "$name" many_client
        look_at server
        await "\\] joined $(pid_called "$name")\$"
    done
}
pid_called() { echo "$(<"$BATS_TEST_TMPDIR/$1/pid")"; }

# says_and_hears NAME WORD: it is typed there, and comes back
says_and_hears() {
    look_at "$1"
    type_to "$1" "$2\n"
    await "^$2\$"
}

@test "2w.6.1 each client gets its own lines back, and no other's" {
    because "one pipe in, one for each out: the message says whose it is, the table says which pipe is theirs"
    start_many anne bert cleo
    local name
    for name in anne bert cleo anne; do
        says_and_hears "$name" "from-$name"
    done
    look_at bert
    expect_equal "what bert got" from-bert "$(journal)"
}

@test "2w.6.2 a hundred messages from each of five clients at the same moment are never mixed" {
    because "up to PIPE_BUF bytes go into a pipe whole, if they are one write(2): pipe(7). And one read(2) is one message"
    start_server many_server
    local name
    for name in anne bert cleo dora emil; do
        for number in {1..100}; do
            printf "$name %s $name%0$((number * 4))d\n" "$number" 0
        done >"$BATS_TEST_TMPDIR/$name.input"
        named "$name"
        supervise_with -i "$BATS_TEST_TMPDIR/$name.input"
        start many_client -d "$PIPES" "$FIFO"
    done
    for name in anne bert cleo dora emil; do
        look_at "$name"
        await_end 30000
        expect_status 0
        expect_that "$name got back what $name sent" cmp "$BATS_TEST_TMPDIR/$name.input" "$OUT/stdout"
    done
}

@test "2w.6.3 the end of the input takes a client out of the table; the last one's leaving does not end the server" {
    because "a pipe ends when nobody has its writing end open: so the server holds one itself. fifo(7)"
    start_many anne
    says_and_hears anne hello
    end_typing anne
    await_end
    expect_status 0
    look_at server
    await "\\] left $(pid_called anne)\$"
    expect_pipes 1
    start_client bert many_client
    says_and_hears bert hello
}

@test "2w.6.4 SIGINT, SIGTERM and SIGHUP take a client out of the table" {
    because "a client that is told to end says so to the server first, and then ends"
    start_server many_server
    local signal
    for signal in INT TERM HUP; do
        start_client "$signal" many_client
        says_and_hears "$signal" hello
        send "$signal" "$PROGRAM_PID"
        await_end
        expect_status 0
        look_at server
        await "\\] left $(pid_called "$signal")\$"
        expect_pipes 1
    done
}

@test "2w.6.5 a client killed with SIGKILL does not take the server down, and its place is free again" {
    because "a dead client says nothing; but its pipe has no reader any more: write(2) says EPIPE, and that is one client's end"
    start_server many_server -m 1
    start_client anne many_client
    says_and_hears anne hello
    send KILL "$PROGRAM_PID"
    await_gone "$PROGRAM_PID"
    start_client bert many_client
    says_and_hears bert hello
    look_at server
    expect_line "\\] gone $(pid_called anne)\$"
}

@test "2w.6.6 who has gone without a word is found out when something is written to it" {
    because "EPIPE: nobody reads there any more. SIGPIPE would kill the server, journal_init() has it ignored: pipe(7)"
    start_many bert
    welcome_as 4711 anne
    close_box anne
    post "$TEXT_KIND" 4711 '' 'are you there?'
    await '\] gone anne$'
    says_and_hears bert hello
}

@test "2w.6.7 a client that does not read is dropped, and holds nobody up" {
    because "a full pipe and O_NONBLOCK: write(2) says EAGAIN. To wait here is to have all others wait"
    start_many bert
    welcome_as 4711 anne
    for number in {1..100}; do
        record "$TEXT_KIND" 4711 '' "message $number"
    done >"$BATS_TEST_TMPDIR/hundred"
    for _ in 1 2 3 4; do
        timeout 10 dd if="$BATS_TEST_TMPDIR/hundred" bs=512 2>/dev/null 1<>"$FIFO"
    done
    await '\] dropped anne$'
    says_and_hears bert hello
}

@test "2w.6.8 when all places are taken a newcomer is refused, and told so" {
    because "a table has an end; who does not look writes behind it"
    start_server many_server -m 2
    start_client anne many_client
    says_and_hears anne one
    start_client bert many_client
    says_and_hears bert two
    start_client cleo many_client
    await_end
    expect_status 1
    expect_stderr '^many_client: .'
    says_and_hears anne three
    says_and_hears bert four
    expect_pipes 3
}

@test "2w.6.9 SIGTERM to the server: its pipe goes, and its clients end with a message" {
    because "the server's end closes its ends of all pipes: read(2) returns 0, or write(2) fails with EPIPE"
    start_many anne
    says_and_hears anne hello
    look_at server
    send TERM "$PROGRAM_PID"
    await_end
    expect_status 0
    look_at anne
    type_to anne 'still there?\n'
    await_end
    expect_status 1
    expect_stderr '^many_client: .'
    expect_pipes 0
}

@test "2w.6.10 after kill -9 of the server a client ends with a message, and a new one does not wait" {
    because "what kill -9 leaves is a name without a reader: ENXIO. fifo(7)"
    start_many anne
    says_and_hears anne hello
    look_at server
    send KILL "$PROGRAM_PID"
    await_end
    look_at anne
    type_to anne 'still there?\n'
    await_end
    expect_status 1
    start_client bert many_client
    await_end
    expect_status 1
    expect_stderr '^many_client: .'
    expect_equal "what is left: the dead server's pipe" "$FIFO" "$(pipes)"
}

@test "2w.6.11 a line that no message can carry is not sent, and that is told; the next one is" {
    because "nothing is lost in silence: a buffer that is full is not a line that is whole"
    start_many anne
    local longest
    longest=$(printf '%0479d' 0)
    type_to anne "${longest}0\\nshort\\n$longest\\n"
    look_at anne
    await "^$longest\$"
    expect_equal "what came back" "short"$'\n'"$longest" "$(journal)"
    expect_stderr '^many_client: .'
}

@test "2w.6.12 rubbish in the pipe, and messages of nobody, cost those who take part nothing" {
    because "a message is judged by itself: a wrong one is no reason to end"
    start_many anne
    printf 'hello\n' 1<>"$FIFO"
    await_errors 1
    post "$TEXT_KIND" 77 '' 'I have not joined'
    await_errors 2
    post "$LEAVE" 77 '' ''
    await_errors 3
    post "$WELCOME" "$(pid_called anne)" '' ''
    await_errors 4
    says_and_hears anne hello
}

@test "2w.6.13 a server that is stopped is not waited for for ever" {
    because "a stopped process keeps its pipes open: neither an end of file nor EPIPE will come. Only a deadline helps"
    start_many anne
    send STOP "$PROGRAM_PID"
    type_to anne 'hello\n'
    look_at anne
    await_end
    expect_status 1
    expect_stderr '^many_client: .'
    expect_pipes 1
}

# ---- chat, with clients that the test plays

@test "2w.6.14 a text for everyone goes to all but its writer, a text for one to that one" {
    because "the message says whom it is for; the receiver has to be told who wrote it"
    start_server chat_server
    welcome_as 1001 anne
    welcome_as 1002 bert
    welcome_as 1003 cleo
    post "$TEXT_KIND" 1001 everyone 'hello'
    expect_message bert "$TEXT_KIND" anne hello
    expect_message cleo "$TEXT_KIND" anne hello
    post "$TEXT_KIND" 1001 cleo 'you alone'
    expect_message cleo "$TEXT_KIND" anne 'you alone'
    post "$TEXT_KIND" 1003 everyone 'the last one'
    expect_message anne "$TEXT_KIND" cleo 'the last one'
    expect_message bert "$TEXT_KIND" cleo 'the last one'
}

@test "2w.6.15 a text for a name that nobody has comes back as a word of the server" {
    because "nothing is lost in silence: who writes to nobody is told"
    start_server chat_server
    welcome_as 1001 anne
    post "$TEXT_KIND" 1001 zoe 'hello'
    take anne
    expect_equal "who says it" server "$FROM"
    expect_that "it names zoe: $TEXT" test "${TEXT/zoe/}" != "$TEXT"
}

@test "2w.6.16 a name that is taken, or that cannot be one, is refused" {
    because "two of one name: whom would a text for that name be for?"
    start_server chat_server
    welcome_as 1001 anne
    local name pid=2000
    for name in anne server everyone 'two words' ''; do
        open_box "box$((++pid))"
        post "$JOIN" $pid "$name" "${BOX[box$pid]}"
        take "box$pid"
        expect_equal "the kind of the answer to the name '$name'" "$REFUSED" "$KIND"
    done
    expect_equal "how many have joined" 1 "$(count_of chat_server joined)"
}

@test "2w.6.17 one who has gone in the midst of a round does not keep the others from hearing" {
    because "who takes an entry out of a table while going through it must not skip the one behind"
    start_server chat_server
    welcome_as 1001 anne
    welcome_as 1002 bert
    welcome_as 1003 cleo
    close_box bert
    post "$TEXT_KIND" 1001 everyone hello
    expect_message cleo "$TEXT_KIND" anne hello
    await '\] gone bert$'
}

# ---- chat, with the clients

start_chat() {
    start_server chat_server
    local name
    for name; do
        start_client "$name" chat_client "$name"
        look_at server
        await "\\] joined $name\$"
    done
}

# hears NAME LINE
hears() {
    look_at "$1"
    await "^$2\$"
}

@test "2w.7.1 a line arrives while its receiver types nothing" {
    because "who waits in read(2) for the keyboard hears nothing else: pselect(2) waits for both"
    start_chat anne bert
    type_to anne 'hello\n'
    hears bert 'anne: hello'
    type_to anne 'are you there?\n'
    hears bert 'anne: are you there\?'
}

@test "2w.7.2 a line goes out while nothing arrives, and half a line does not keep others from being heard" {
    because "pselect(2) says which of the two is ready: only that one is read"
    start_chat anne bert
    type_to anne 'one\n'
    hears bert 'anne: one'
    type_to bert 'half a l'
    type_to anne 'two\n'
    hears bert 'anne: two'
    type_to bert 'ine\n'
    hears anne 'bert: half a line'
}

@test "2w.7.3 @NAME text goes to one, @everyone and no name to all the others" {
    because "where no name is said, everyone is meant"
    start_chat anne bert cleo
    type_to anne '@bert psst\n@everyone hello\nbye\n'
    hears cleo 'anne: bye'
    expect_equal "what cleo hears" $'anne: hello\nanne: bye' "$(journal)"
    hears bert 'anne: bye'
    expect_equal "what bert hears" $'anne: psst\nanne: hello\nanne: bye' "$(journal)"
    look_at anne
    expect_no_output
}

@test "2w.7.4 who writes to a name that nobody has is told, and goes on" {
    because "the answer comes by the pipe, while you may be typing"
    start_chat anne bert
    type_to anne '@zoe hello\n'
    hears anne 'server: .*zoe.*'
    type_to anne 'hello\n'
    hears bert 'anne: hello'
}

@test "2w.7.5 a name that is taken is refused: a message, exit 1, and the owner keeps it" {
    because "the server refuses, and the client has to say so: its exit status is all that a script sees"
    start_chat anne bert
    start_client second chat_client anne
    await_end
    expect_status 1
    expect_stderr '^chat_client: .'
    type_to bert '@anne hello\n'
    hears anne 'bert: hello'
}

@test "2w.7.6 the end of the input, SIGINT, SIGTERM and SIGHUP: it leaves, exit 0, its pipe goes" {
    because "pselect(2) with -1 and EINTR is a signal's normal way to arrive: then look if you are asked to stop"
    start_server chat_server
    local how
    for how in end INT TERM HUP; do
        start_client "$how" chat_client "$how"
        look_at server
        await "\\] joined $how\$"
        let_pass 50     # surely it waits now
        look_at "$how"
        if [[ $how == end ]]; then end_typing end; else send "$how" "$PROGRAM_PID"; fi
        await_end
        expect_status 0
        look_at server
        await "\\] left $how\$"
        expect_pipes 1
    done
}

@test "2w.7.7 the server's end is the client's, though nobody types: a message, exit 1" {
    because "the end of a pipe makes it ready to read, too: and then read(2) returns 0"
    start_chat anne bert
    send TERM "$PROGRAM_PID"
    await_end
    expect_status 0
    local name
    for name in anne bert; do
        look_at "$name"
        await_end
        expect_status 1
        expect_stderr '^chat_client: .'
    done
    expect_pipes 0
}

@test "2w.7.8 a client that is stopped holds nobody up, and hears in the end that it was dropped" {
    because "what is written to who does not read stays in the pipe, until that is full; the others must not wait for it"
    start_chat anne bert cleo
    look_at cleo
    send STOP "$PROGRAM_PID"
    local number
    for number in {1..200}; do
        type_to anne "line $number\n"
    done
    hears bert 'anne: line 200'
    look_at server
    await '\] dropped cleo$'
    look_at cleo
    send CONT "$PROGRAM_PID"
    await_end
    expect_status 1
    expect_line '^anne: line 1$'
}

@test "2w.7.9 a client killed with SIGKILL is gone with the next line, and its name is free" {
    because "nobody says goodbye for it: the write(2) that fails is the news"
    start_chat anne bert cleo
    send KILL "$(pid_called bert)"
    await_gone "$(pid_called bert)"
    type_to anne 'hello\n'
    hears cleo 'anne: hello'
    look_at server
    await '\] gone bert$'
    start_client bert2 chat_client bert
    look_at server
    await_count 2 '\] joined bert$'
}

@test "2w.7.10 what others write cannot forge a line, or move the cursor" {
    because "a text with a newline in it would look like two: control characters are taken out where a message comes in"
    start_chat anne
    welcome_as 1001 mallory
    post "$TEXT_KIND" 1001 anne $'hi\nbert: I agree\e[2J\302\233[2J'
    hears anne 'mallory: hi\?bert: I agree\?\[2J.\?\[2J'
}

# In clock ticks, of which a second has a hundred.
ticks_of() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

@test "2w.7.11 who waits does not work: no processor time is used" {
    because "a loop around a wait that does not wait is busy: what is the timeout, and is every descriptor that is ready read?"
    start_chat anne
    look_at anne
    let_pass 1000
    expect_between "clock ticks that the client has used" 0 20 "$(ticks_of "$PROGRAM_PID")"
    look_at server
    expect_between "clock ticks that the server has used" 0 20 "$(ticks_of "$PROGRAM_PID")"
}
