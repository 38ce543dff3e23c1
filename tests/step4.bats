# step4.bats - step 4 seen from outside: clients over TCP, served by the secondaries; and the client.
#
#     LAB_DIR=solutions/step4_client bats tests/step4.bats
#
# Knows the contract and nothing else. Titles are claims. The words are explained in helpers.bash, step3.bash and
# step4.bash; the scripts for `talk` and `fake_servers` in peer.c. Of what step 3 has
# promised, only some is asked again here. Where work takes longer than the timeout, PERIOD_MS is long or TIMEOUT_MS longer still:
# a worker that answers no probe is to be found by the test of that, and not here and there, by chance.

# shellcheck disable=SC2016,SC2030,SC2031,SC2034  # $ for another shell; a variable set in a test is meant for that test,
# and for the words of step4.bash

load helpers
load step3
load tcp
load step4

# ---- options, ports

@test "4.0.1 -h prints the usage of both programs on standard output and exits 0" {
    because "a usage that was asked for is the result, not an error: stdout and 0, see EXIT STATUS in any man page"
    local program
    for program in watchdog client; do
        run_to_end "$program" -h
        expect_status 0
        expect_line '[Uu]sage'
        expect_equal "bytes on standard error" 0 "$(errors | wc -c)"
    done
}

@test "4.0.2 the watchdog takes no nonsense for -a, -P, -w, and no -i: exit 2" {
    because "a port has 16 bits: htons(3) cuts off the rest of 65536 without a word. inet_pton(3) says 0 for no address"
    local value
    for value in abc '' -1 65536 99999999999999999999; do
        expect_wrong_usage watchdog -P "$value"
    done
    for value in abc '' -1 1.5; do
        expect_wrong_usage watchdog -w "$value"
    done
    for value in '' 127.0.0.256 127.0.0.1x; do
        expect_wrong_usage watchdog -a "$value"
    done
    expect_wrong_usage watchdog -a "$ADDRESS" -i 500
    expect_wrong_usage watchdog -a "$ADDRESS" superfluous
}

@test "4.0.3 the client takes no nonsense for options: exit 2" {
    because "strtol(3) tells where it stopped, and overflow; getopt(3) returns '?' for what it does not know"
    local value
    for value in abc '' -1 65536; do
        expect_wrong_usage client -p "$value" requetetype2
    done
    for value in abc '' -1; do
        expect_wrong_usage client -r "$value" requetetype2
        expect_wrong_usage client -t "$value" requetetype2
    done
    expect_wrong_usage client -Z
    expect_wrong_usage client -H
}

@test "4.1.1 principal and secondaries listen on PORT to PORT + n of ADDRESS, and nowhere else" {
    because "INADDR_ANY is every address of the machine, the one towards the world too; ports and addresses travel in network byte order. ip(7), htons(3)"
    N=3 PORT=3000
    start_lab
    local port
    for port in 3000 3001 3002 3003; do
        expect_that "nobody listens on port $port of another address" eval "! is_open $port $OTHER_ADDRESS"
    done
    expect_that "nobody listens on port PORT + n + 1" eval '! is_open 3004'
}

@test "4.1.2 without -P the principal's port is 2222" {
    because "an option that is not given has its default: set it before the loop over getopt(3)"
    start watchdog -a "$ADDRESS"
    eventually 10000 is_open 2222 || fail "the principal on port 2222" "connection refused"
    eventually 10000 is_open 2223 || fail "a secondary on port 2223" "connection refused"
}

@test "4.8.1 the result of one request is printed, and nothing else" {
    because "TOKEN, then the text, to the secondary; the word after \`resultat\` is the result, and counts when \`fintraitement\` has come"
    start_lab
    ask 'requetetype1 hello'
    expect_answers HELLO
}

@test "4.8.22 without -p the client's port is 2222" {
    because "an option that is not given has its default: set it before the loop over getopt(3)"
    start watchdog -a "$ADDRESS"
    eventually 10000 is_open 2223 || fail "a secondary on port 2223" "connection refused"
    beside
    run_to_end client -H "$ADDRESS" 'requetetype1 hello'
    expect_answers HELLO
}

@test "4.8.2 without -a and -H the address is 127.0.0.1" {
    because "an option that is not given has its default: set it before the loop over getopt(3)"
    ADDRESS=127.0.0.1 PORT=$((20000 + 3 * (($$ + 512 * BLOCK) % 4000)))
    while is_open "$PORT" || is_open $((PORT + 1)); do
        PORT=$((PORT + 3))
    done
    start watchdog -P "$PORT"
    eventually 10000 is_open $((PORT + 1)) || fail "a secondary on 127.0.0.1 port $((PORT + 1))" "connection refused"
    expect_that "nobody listens on another address" eval "! is_open $PORT $OTHER_ADDRESS"
    beside
    run_to_end client -p "$PORT" 'requetetype1 hello'
    expect_answers HELLO
}

@test "4.1.3 a port in use: a message that names it, exit 1, nothing left; be it the principal's or a secondary's" {
    because "bind(2) fails with EADDRINUSE: look at its return code, and undo what was made before. SO_REUSEPORT would share the port with a stranger: socket(7)"
    local port
    for port in 2222 2225; do
        start_talk "listen $ADDRESS $port" 'silence 30000'
        await '^listening$'
        expect_refusal watchdog -n 3 -a "$ADDRESS"
        expect_stderr "(^|[^0-9])$port([^0-9]|\$)"
        look_at "${STARTS[-2]}"
        send TERM "$PROGRAM_PID"
        await_end
    done
}

@test "4.1.4 an address that is not this machine's, and ports beyond the last: refused" {
    because "bind(2) says EADDRNOTAVAIL; 65535 + 1 does not fit into 16 bits: check the highest port, not the first"
    expect_refusal watchdog -a 192.0.2.1
    run_to_end watchdog -a "$ADDRESS" -P 65534 -n 2
    expect_that "the exit status is 1 or 2" grep -qE '^ended status [12]$' "$OUT/report"
    expect_stderr '^watchdog: .'
    expect_nothing_left
}

@test "4.5.1 a second start, in the same run directory or on the same ports, is refused and disturbs nothing" {
    because "the port is a second thing that only one can hold; who fails there must not remove what is another's"
    start_lab
    beside
    expect_refusal watchdog -a "$ADDRESS" -P 3000
    expect_stderr "(^|[^0-9])$(look_at "$LAB" && echo "$PROGRAM_PID")([^0-9]|\$)"
    beside
    expect_refusal watchdog -a "$ADDRESS" -d "$BATS_TEST_TMPDIR/other"
    expect_stderr '(^|[^0-9])222[23]([^0-9]|$)'
    expect_still_served
    stop_lab
}

@test "4.5.2 after a stop the ports are free, and the next start has them at once" {
    because "the side that closes first keeps the connection in TIME_WAIT for a minute, and the port with it, unless SO_REUSEADDR is set before bind(2): socket(7)"
    local round
    for round in 1 2 3; do
        start_lab
        talk "connect $ADDRESS 2222" 'send requetetype1\n' expect-place "connect $ADDRESS %p" 'send %t hello\n' \
            'expect ^debut' 'expect ^resultat HELLO$' 'expect ^fin' expect-end
        dial kept
        stop_lab
        hear_end kept
        hang_up kept
        expect_that "nobody listens any more" eval '! is_open 2222 && ! is_open 2223'
    done
}

# ---- the protocol, line by line

@test "4.5.3 requetetype1, line by line: a place, debuttraitement, resultat in upper case, fintraitement, the end" {
    because "send(2) may carry a line in pieces, recv(2) may bring several: only \\n ends a line. toupper(3) takes an unsigned char"
    start_lab
    request_place principal requetetype1
    expect_equal "port of secondary 1" 2223 "$PLACE"
    dial secondary "$PLACE"
    say secondary "$TOKEN Hello, world 42!  (two spaces)\\n"
    hear secondary '^debuttraitement$'
    hear secondary '^resultat HELLO, WORLD 42!  \(TWO SPACES\)$'
    hear secondary '^fintraitement$'
    hear_end secondary
}

@test "4.5.26 the result of either type comes before fintraitement, which is the last line" {
    because "who has read fintraitement reads no more: what is written after it, is written to nobody"
    start_lab
    local type
    for type in requetetype1 requetetype2; do
        talk "connect $ADDRESS 2222" "send $type\\n" expect-place close "connect $ADDRESS %p" 'send %t hello\n' \
            'expect ^debuttraitement$' 'expect ^resultat ' 'expect ^fintraitement$' expect-end
    done
}

@test "4.8.3 requetetype2 gives one line about the system, which tells of the requests done" {
    because "what one process counts in its own variable, the others never see: the table is in shared memory. mmap(2)"
    start_lab
    ask requetetype2
    expect_status 0
    local before
    before=$(journal)
    expect_equal "lines" 1 "$(journal | wc -l)"
    expect_that "it has numbers: $before" grep -q '[0-9]' <<<"$before"
    ask 'requetetype1 hello' requetetype2
    expect_equal "lines" 2 "$(journal | wc -l)"
    expect_that "it has changed since: $before" test "$before" != "$(journal | tail -n 1)"
}

@test "4.5.4 a carriage return before the newline is forgiven, by both servers" {
    because "telnet and many others end a line in \\r\\n: the \\r is no part of the word, of the token, or of the text"
    start_lab
    request_place principal 'requetetype1\r'
    dial secondary "$PLACE"
    say secondary "$TOKEN hello\\r\\n"
    hear secondary '^debuttraitement$'
    hear secondary '^resultat HELLO$'
}

@test "4.5.5 one connection to the principal carries many requests, also when two come in one piece" {
    because "TCP carries bytes, not messages: what was read beyond the first \\n is the beginning of the next line. tcp(7)"
    start_lab
    talk "connect $ADDRESS 2222" 'times 5' 'send requetetype1\n' expect-place
    talk "connect $ADDRESS 2222" 'times 5' 'send requetetype1\nrequetetype2\n' expect-place expect-place
    expect_still_served
}

@test "4.5.6 an unknown request is answered with errtraitement, and costs nobody else anything" {
    because "what a client sends may be anything: a server answers, and lives on. strcmp(3), and not only the first letters"
    start_lab
    dial other
    local request
    for request in requetetype3 requetetype requetetype12 'hello world' ping stop; do
        dial principal
        say principal "$request\\n"
        hear principal '^errtraitement'
        hang_up principal
    done
    say other 'requetetype1\n'
    hear other '^2223 [^ ]+$'
    expect_still_served
}

@test "4.2.1 many are accepted, one after the other and at the same time, and each is heard" {
    because "poll(2) says once that somebody is in the listen queue, not how many: accept(2) until it says EAGAIN"
    start_lab
    local connection
    for connection in {1..12}; do
        dial "$connection"
    done
    for connection in {12..1}; do
        say "$connection" 'nonsense\n'
        hear "$connection" '^errtraitement'
    done
}

@test "4.3.1 a request is answered with the port of a secondary and a token" {
    because "the principal serves nobody itself: it says where to go (a port, PORT + K), and what to say there (a token)"
    start_lab
    request_place principal requetetype1
    expect_equal "port of secondary 1" 2223 "$PLACE"
    say principal 'requetetype2\n'
    hear principal '^2223 [^ ]+$'
}

@test "4.4.1 who shows its token hears debuttraitement" {
    because "what the principal wrote into dwtubeK is what a token is looked for in: has all of it been read? read(2)"
    start_lab
    request_place principal
    dial secondary "$PLACE"
    say secondary "$TOKEN hello\\n"
    hear secondary '^debuttraitement$'
}

@test "4.5.7 debuttraitement comes at once, the result after WORK_MS" {
    because "who tells of the beginning only when the work is done, tells nothing; and what is not sent now, no one reads now"
    WORK_MS=700 PERIOD_MS=8000
    start_lab
    request_place principal
    dial secondary "$PLACE"
    local before_ms
    before_ms=$(now_ms)
    say secondary "$TOKEN hello\\n"
    hear secondary '^debuttraitement$'
    expect_between "milliseconds until debuttraitement" 0 500 $(($(now_ms) - before_ms))
    hear secondary '^resultat HELLO$'
    expect_between "milliseconds until the result" 700 5000 $(($(now_ms) - before_ms))
}

@test "4.3.2 tokens are all different, not counted up, and others after the next start" {
    because "rand(3) without a seed gives the same numbers each time, and with time(2) as the seed others can guess them: random(4)"
    start_lab
    local round tokens=()
    for round in {1..12}; do
        request_place principal
        tokens+=("$TOKEN")
        hang_up principal
    done
    stop_lab
    start_lab
    request_place principal
    tokens+=("$TOKEN")
    expect_equal "different tokens" 13 "$(printf '%s\n' "${tokens[@]}" | sort -u | wc -l)"
    expect_equal "different tokens, even without their last two bytes" 13 "$(printf '%s\n' "${tokens[@]%??}" | sort -u | wc -l)"
    expect_between "bytes in a token" 6 200 "${#TOKEN}"
}

@test "4.5.8 the port is PORT + K of secondary K; and all of them get requests" {
    because "each secondary has its own listening socket, and closes the others': after fork(2) it has them all"
    N=3 WORK_MS=600 PERIOD_MS=8000
    start_lab
    local connection ports=()
    for connection in a b c; do
        request_place "principal $connection"
        ports+=("$PLACE")
        dial "$connection" "$PLACE"
        say "$connection" "$TOKEN hello\\n"
        hear "$connection" '^debuttraitement$'
    done
    expect_equal "ports" "2223 2224 2225" "$(printf '%s\n' "${ports[@]}" | sort | paste -sd' ')"
    for connection in a b c; do
        hear "$connection" '^resultat HELLO$'
    done
}

@test "4.5.9 nc alone can be the client: who has asked may shut down its writing side" {
    because "end of file says that nothing more will come, not that nobody listens: answer first, then close. shutdown(2)"
    start_lab
    talk "connect $ADDRESS 2222" 'send requetetype1\n' half-close expect-place expect-end \
        "connect $ADDRESS %p" 'send %t hello\n' half-close 'expect ^debut' 'expect ^resultat HELLO$' 'expect ^fin' expect-end
}

@test "4.8.4 a text of 400 bytes comes back whole" {
    because "a line may have 512 bytes, and every buffer on its way has to hold them"
    start_lab
    local text
    text=$(printf 'abcdefgh%.0s' {1..50})
    ask "requetetype1 $text"
    expect_answers "${text^^}"
    ask -r 0 requetetype1
    expect_answers ''
}

# ---- pipes and journal

@test "4.8.5 the journal shows each request's beginning and end, by its number" {
    because "the secondary tells the principal, on wdtubeK, what becomes of a request: that is how the principal knows"
    N=2
    start_lab
    ask 'requetetype1 a' 'requetetype1 b' requetetype2 'requetetype1 c'
    the_lab
    eventually 5000 eval '[[ $(requests_in_journal fintraitement | wc -l) == 4 ]]' || fail "fintraitement NUMBER, of 4 requests" "$(requests_in_journal fintraitement | paste -sd' ')"
    expect_equal "requests begun" "$(requests_in_journal fintraitement)" "$(requests_in_journal debuttraitement)"
    expect_equal "requests that ended before they began" "" "$(awk '
        $3 == "debuttraitement" { begun[$4] = 1 }
        $3 == "fintraitement" && !begun[$4]' "$OUT/stdout")"
    stop_lab
    expect_well_formed_journal
}

@test "4.8.6 -q drops the requests from the journal, not from the work" {
    because "-q keeps what happens once in a process's life"
    start_lab -q
    ask 'requetetype1 hello'
    expect_answers HELLO
    the_lab
    stop_lab
    expect_no_line '(debut|fin|err)traitement'
}

@test "4.5.10 a request whose client leaves during the work comes to an end, in the journal too" {
    because "a write(2) to who has left fails with EPIPE, after a SIGPIPE that kills: signal(7). One client's leaving is no server's end"
    WORK_MS=300
    start_lab
    talk "connect $ADDRESS 2222" 'send requetetype1\n' expect-place "connect $ADDRESS %p" 'send %t hello\n' 'expect ^debut' reset
    await ' (fin|err)traitement [0-9]+( |$)'
    expect_still_served
    expect_no_line ' (died|killed|frozen|restarted) '
}

# ---- tokens

@test "4.4.2 a wrong token, or none, is answered with errtraitement, and with nothing else" {
    because "a token is compared whole: strncmp(3) with the length of what came finds the empty one equal to all"
    start_lab
    request_place principal
    local line
    for line in 'wrong hello' "${TOKEN%?} hello" "${TOKEN}x hello" ' hello' '' "x$TOKEN hello" requetetype1; do
        talk "connect $ADDRESS 2223" "send $line\\n" 'expect ^errtraitement' half-close
    done
    talk "connect $ADDRESS 2223" "send $TOKEN hello\\n" 'expect ^debut'
}

@test "4.4.4 a token that has been shown opens no second connection" {
    because "who finds the token in the list takes it out, before anything else can happen"
    WORK_MS=2000 PERIOD_MS=8000
    start_lab
    request_place principal
    dial first "$PLACE"
    say first "$TOKEN hello\\n"
    hear first '^debuttraitement$'
    talk "connect $ADDRESS $PLACE" "send $TOKEN me too\\n" 'expect ^errtraitement'
}

@test "4.5.11 a token opens one connection, once: not during the work, not after it" {
    because "who finds the token in the list takes it out, before anything else can happen"
    WORK_MS=400 PERIOD_MS=8000
    start_lab
    request_place principal
    dial first "$PLACE"
    say first "$TOKEN hello\\n"
    hear first '^debuttraitement$'
    talk "connect $ADDRESS 2223" "send $TOKEN me too\\n" 'expect ^errtraitement'
    hear first '^resultat HELLO$'
    hear first '^fintraitement$'
    talk "connect $ADDRESS 2223" "send $TOKEN and me\\n" 'expect ^errtraitement'
}

@test "4.4.3 a token is worth nothing at another secondary" {
    because "the principal tells the token to one secondary, by its pipe dwtubeK; the others know nothing of it"
    N=2
    start_lab
    request_place principal
    talk "connect $ADDRESS $((4447 - PLACE))" "send $TOKEN hello\\n" 'expect ^errtraitement'
    talk "connect $ADDRESS $PLACE" "send $TOKEN hello\\n" 'expect ^debut'
}

@test "4.5.12 a token is good also when the connection to the principal is closed" {
    because "two connections live on their own: closing one says nothing about the other"
    start_lab
    request_place principal
    hang_up principal
    dial secondary "$PLACE"
    say secondary "$TOKEN hello\\n"
    hear secondary '^debuttraitement$'
    hear secondary '^resultat HELLO$'
}

@test "4.8.7 whoever has a token is expected: 300 requests, one after the other, none fails" {
    because "if the client hears of the place before the secondary hears of the request, a fast client comes too early: first write to dwtubeK"
    WORK_MS=0
    start_lab -q
    local requests=()
    readarray -t requests < <(seq -f 'requetetype1 n%.0f' 300)
    ask -r 0 -t "$ANSWER_MS" "${requests[@]}"
    readarray -t requests < <(seq -f 'N%.0f' 300)
    expect_answers "${requests[@]}"
}

# ---- many

@test "4.8.8 three secondaries serve three clients at the same time" {
    because "who waits for one request's end before it takes the next, serves one at a time: poll(2) waits for all at once"
    N=3 WORK_MS=1000 PERIOD_MS=8000
    start_lab
    local before_ms
    before_ms=$(now_ms)
    start_crowd 3 -r 0 'requetetype1 hello'
    await_end
    expect_between "milliseconds for three requests of 1000 each" 1000 2500 $(($(now_ms) - before_ms))
    expect_answers HELLO HELLO HELLO
}

@test "4.5.13 one secondary serves one request at a time, and the others wait in order" {
    because "to wait is not to be refused: a list of who has come, and the first goes on when the work is done"
    WORK_MS=200 PERIOD_MS=8000
    start_lab
    local text script=()
    for text in a b c d; do
        script+=("connect $ADDRESS 2222" 'send requetetype1\n' expect-place close "connect $ADDRESS %p" "send %t $text\\n" 'silence 20')
    done
    for text in A B C D; do
        script+=('expect-any ^debuttraitement$' "expect-any ^resultat $text\$" 'expect-any ^fintraitement$')
    done
    talk "${script[@]}"
}

@test "4.8.9 sixteen clients with five requests each are all answered, at the first try" {
    because "a busy secondary is no reason to say no: requests wait"
    N=3
    start_lab
    start_crowd 16 -r 0 -t 20000 'requetetype1 a' 'requetetype1 b' requetetype2 'requetetype1 c' 'requetetype1 d'
    await_end
    expect_status 0
    expect_equal "results" "16 A, 16 B, 16 C, 16 D" \
        "$(for text in A B C D; do echo "$(journal | grep -cx $text) $text"; done | paste -sd, | sed 's/,/, /g')"
    expect_equal "lines" 80 "$(journal | wc -l)"
}

# Now and then: each look is one at so many processes.
has_clients() {
    local pids
    let_pass 100
    mapfile -t pids < <(children_of "$2")
    ((${#pids[@]} == $1))
}

# The secondary is stopped until they are all there; there is no probe in that time.
@test "4.8.10 three hundred clients at once are all answered" {
    because "who finds no room waits, in the listen queue or before it is told a place; but whoever has a token is expected, however late it comes"
    WORK_MS=8 PERIOD_MS=120000
    supervise_with -t 120000
    start_lab -q
    send STOP secondary1
    # With a sanitizer in each, on a busy machine, so many take more than twenty seconds to start.
    supervise_with -t 120000
    start_crowd 300 -t 60000 'requetetype1 hello'
    eventually 60000 has_clients 300 "$PROGRAM_PID" || fail "300 clients" "$(all_below | wc -l) processes"
    let_pass 300
    the_lab
    send CONT secondary1
    look_at "${STARTS[1]}"
    await_end 60000
    expect_equal "clients that failed, and results" "0 300" "$(ending | cut -d' ' -f3) $(journal | grep -cx HELLO)"
}

@test "4.8.11 a secondary that is working still answers its probes" {
    because "sleep(3) in the main loop is a stuck main loop: let poll(2) or sigtimedwait(2) wait, they wake up for a signal"
    WORK_MS=2000 PERIOD_MS=300 TIMEOUT_MS=250
    start_lab
    ask -r 0 'requetetype1 hello'
    expect_answers HELLO
    the_lab
    expect_between "probes meanwhile" 4 20 "$(count_of watchdog status)"
    expect_no_line ' (frozen|killed|died|restarted) '
}

# ---- rude clients

@test "4.5.14 a hundred silent connections to each server cost nobody anything" {
    because "read(2) waits for whoever is silent: ask poll(2) who has something to say, or give each its own process"
    start_lab
    start_talk "crowd 100 $ADDRESS 2222" "crowd 100 $ADDRESS 2223" 'tell here' 'silence 30000'
    await '^here$'
    expect_still_served
    the_lab
    expect_no_line ' (frozen|killed|died|restarted) '
}

@test "4.5.15 three hundred silent connections to each server do not keep others out for long" {
    because "places are limited, and the silent do not leave by themselves: who has said nothing for long loses its place"
    start_lab
    start_talk "crowd 300 $ADDRESS 2222" "crowd 300 $ADDRESS 2223" 'tell here' 'silence 30000'
    await '^here$'
    expect_still_served
}

@test "4.5.16 who speaks a byte at a time is served, and holds up nobody" {
    because "half a line is kept until the rest comes, for each connection in its own buffer; meanwhile others speak"
    start_lab
    dial half && say half 'requete'
    dial half_token 2223 && say half_token 'abc'
    talk "connect $ADDRESS 2222" 'slowly requetetype1\n' expect-place "connect $ADDRESS %p" 'slowly %t hello\n' \
        'expect ^debut' 'expect ^resultat HELLO$' 'expect ^fin' expect-end
    expect_still_served
    say half 'type1\n'
    hear half '^2223 '
}

@test "4.5.17 a line too long is refused or cut off, by both servers, and others are served" {
    because "a buffer has an end, and who writes beyond it writes over something else: count, and refuse"
    start_lab
    local long port
    long=$(printf 'x%.0s' {1..600})
    for port in 2222 2223; do
        talk "connect $ADDRESS $port" "send $long\\n" expect-refusal
    done
    request_place principal
    talk "connect $ADDRESS 2223" "send $TOKEN $long\\n" expect-refusal
    expect_still_served
    expect_no_line ' (frozen|killed|died|restarted) '
}

@test "4.5.18 ten megabytes without a newline need no memory" {
    because "a buffer that grows as long as the other side likes is the other side's to fill: 512 bytes and no more"
    start_lab
    local before
    before=$(memory_kb_of "$(pid_of principal)")
    start_talk "connect $ADDRESS 2222" 'flood 10000000' "connect $ADDRESS 2223" 'flood 10000000' 'tell enough' 'silence 30000'
    expect_still_served
    look_at "${STARTS[1]}"
    await '^enough$'
    the_lab
    expect_between "kilobytes that the principal grew by" -100000 5000 $(($(memory_kb_of "$(pid_of principal)") - before))
    expect_no_line ' (frozen|killed|died|restarted) '
    expect_still_served
}

@test "4.5.19 garbage and zero bytes harm nobody" {
    because "a string ends at its first zero byte, a line does not: what is behind it is forgotten, or read twice"
    start_lab
    local port
    for port in 2222 2223; do
        talk "connect $ADDRESS $port" 'send \n\n\r\n \0\0requetetype1\n\r\r\n%%s%%n%n\n' 'silence 20' reset
        talk "connect $ADDRESS $port" 'send requete\0type1\n' expect-refusal
    done
    expect_still_served
    expect_no_line ' (frozen|killed|died|restarted) '
}

@test "4.5.20 who leaves early, at any stage, by a close or a reset, costs nobody anything" {
    because "EPIPE, ECONNRESET and ECONNABORTED tell of one client's end, not of the server's. accept(2), signal(7)"
    start_lab
    local leave
    for leave in close reset; do
        talk "connect $ADDRESS 2222" $leave "connect $ADDRESS 2223" $leave
        talk "connect $ADDRESS 2222" 'send requete' $leave
        talk "connect $ADDRESS 2222" 'send requetetype1\n' $leave
        talk "connect $ADDRESS 2222" 'send requetetype1\n' expect-place $leave
        talk "connect $ADDRESS 2222" 'send requetetype1\n' expect-place "connect $ADDRESS %p" 'send %t' $leave
        talk "connect $ADDRESS 2222" 'send requetetype1\n' expect-place "connect $ADDRESS %p" 'send %t hello\n' $leave
        talk "connect $ADDRESS 2222" 'send requetetype1\n' expect-place "connect $ADDRESS %p" 'send %t hello\n' 'expect ^debut' $leave
    done
    expect_still_served
    expect_no_line ' (frozen|killed|died|restarted) '
}

@test "4.5.21 a client that asks and asks and never reads holds up nobody" {
    because "write(2) waits for who does not read, once the buffers are full: O_NONBLOCK, and give up who does not listen"
    supervise_with -t 60000
    start_lab -q
    supervise_with -t 60000
    start_talk "connect $ADDRESS 2222" 'babble 400000 requetetype9\n' 'tell enough' 'silence 60000'
    expect_still_served
    look_at "${STARTS[1]}"
    await '^enough$' 25000
    expect_still_served
}

@test "4.5.22 tokens that are asked for and never used: later clients are served" {
    because "a place that is kept for who never comes must not be kept for ever"
    start_lab -q
    talk "connect $ADDRESS 2222" 'times 1200' 'send requetetype1\n' expect-place
    expect_still_served
}

@test "4.5.23 servers do not run out of descriptors" {
    because "each accept(2) gives a descriptor, and only close(2) takes it back: getrlimit(2), RLIMIT_NOFILE"
    WORK_MS=0
    # shellcheck disable=SC2046
    start bash -c 'ulimit -n 256 && exec "$@"' - "$LAB_DIR/watchdog" $(lab_options) -q
    LAB=${STARTS[-1]}
    eventually 10000 is_open 2223
    talk 'times 400' "connect $ADDRESS 2222" 'send nonsense\n' half-close expect-end close \
        "connect $ADDRESS 2223" 'send nonsense\n' half-close expect-end close
    talk 'times 400' "connect $ADDRESS 2222" 'send requetetype1\n' expect-place close \
        "connect $ADDRESS %p" 'send %t hello\n' 'expect ^debut' 'expect ^resultat' 'expect ^fin' expect-end close
    expect_still_served
}

# ---- the client

# The first lines of a talk that goes well, up to where the secondary is to answer.
PLACE_GIVEN=('serve 2222 ^requetetype1' 'send 2223 key\n' 'serve 2223 ^key hello$')
ALL_WELL=("${PLACE_GIVEN[@]}" 'send debuttraitement\nresultat HELLO\nfintraitement\n' close)

@test "4.8.12 the client takes requests as arguments, or from standard input, and gives the results in order" {
    because "the last line of a file may have no newline, and is a line all the same: getline(3)"
    WORK_MS=5
    start_lab
    ask 'requetetype1 one' 'requetetype1 two' 'requetetype1 three'
    expect_answers ONE TWO THREE
    printf 'requetetype1 four\nrequetetype1 five\nrequetetype1 six' >"$BATS_TEST_TMPDIR/requests"
    supervise_with -i "$BATS_TEST_TMPDIR/requests"
    ask
    expect_answers FOUR FIVE SIX
    ask </dev/null
    expect_status 0
    expect_no_output
}

@test "4.8.13 -v tells the journal on standard error; standard output has the results alone" {
    because "who writes \`client ... >file\` wants the results in the file, and the talk about them on the screen"
    start_lab
    ask -v 'requetetype1 hello'
    expect_status 0
    expect_equal "standard output" HELLO "$(journal)"
    expect_stderr "^$STAMP client\\[$PROGRAM_PID\\] [a-z]+"
}

@test "4.9.1 one request unanswered is exit 1, with a message, and the others are answered" {
    because "the exit status is all that a script sees: it tells of all requests, not only of the last"
    start_lab
    ask -r 0 'requetetype1 hello' 'requetetype9 hello' 'requetetype1 world'
    expect_status 1
    expect_equal "results" $'HELLO\nWORLD' "$(journal)"
    expect_stderr '^client: .'
    ask -r 0 "requetetype1 $(printf 'x%.0s' {1..700})"
    expect_unanswered
}

@test "4.6.1 the client connects to the principal, and says the type of its request" {
    because "with O_NONBLOCK connect(2) says EINPROGRESS: the connection is there when poll(2) says that it can be written to"
    fake_servers 'serve 2222 ^requetetype1$' 'tell heard' 'silence 2000'
    start_asking -r 0 -t 5000 'requetetype1 hello'
    look_at fake
    await '^heard$'
}

@test "4.6.2 nobody there: a message, exit 1, soon" {
    because "connect(2) fails with ECONNREFUSED at once: as many retries as were asked for, and then the truth"
    ask -r 0 'requetetype1 hello'
    expect_unanswered
    ask 'requetetype1 hello'
    expect_unanswered
}

@test "4.9.2 -r RETRIES is how often it asks again: -r 0 asks once, -r 2 three times" {
    because "a loop that counts from 0 and one that counts from 1 differ by one"
    fake_servers 'times 50' 'serve 2222 ^requetetype1' 'tell attempt' close
    ask -r 0 'requetetype1 hello'
    expect_unanswered
    look_at fake
    expect_equal "attempts with -r 0" 1 "$(grep -c attempt "$OUT/stdout")"
    ask -r 2 'requetetype1 hello'
    expect_unanswered
    look_at fake
    expect_equal "attempts with -r 0 and with -r 2" 4 "$(grep -c attempt "$OUT/stdout")"
}

@test "4.7.1 a silent principal does not hold the client for longer than -t says" {
    because "read(2) on a socket waits for ever: poll(2) takes a timeout, and SO_RCVTIMEO is one. socket(7)"
    fake_servers 'serve 2222 .' 'silence 30000'
    local before_ms
    before_ms=$(now_ms)
    ask -r 0 -t 400 'requetetype1 hello'
    expect_unanswered
    expect_between "milliseconds, with -t 400" 390 4000 $(($(now_ms) - before_ms))
}

@test "4.8.14 a silent secondary does not hold the client for longer than -t says" {
    because "read(2) on a socket waits for ever: poll(2) takes a timeout, and SO_RCVTIMEO is one. socket(7)"
    fake_servers "${PLACE_GIVEN[@]}" "${PLACE_GIVEN[@]}" 'send debuttraitement\n' \
        "${PLACE_GIVEN[@]}" 'send debuttraitement\nresultat HEL' 'silence 30000'
    local stage before_ms
    for stage in secondary debut half; do
        before_ms=$(now_ms)
        ask -r 0 -t 400 'requetetype1 hello'
        expect_unanswered
        expect_between "milliseconds, with -t 400, silent server: $stage" 390 4000 $(($(now_ms) - before_ms))
    done
}

@test "4.9.3 a principal that leaves at any stage is asked again" {
    because "end of file before a whole line is a failure, and a failure is a reason to ask again: read(2) says 0"
    fake_servers 'accept 2222' close 'serve 2222 .' close 'serve 2222 .' 'send 2223 ke' close \
        'serve 2222 .' 'send 2223 key\n' close 'accept 2223' close "${ALL_WELL[@]}"
    start_asking -r 20 'requetetype1 hello'
    await_end 20000
    expect_answers HELLO
    expect_played
}

@test "4.9.4 a secondary that leaves at any stage is asked for again, and the result is printed once" {
    because "end of file before fintraitement is a failure, however much came before: print only what is whole"
    fake_servers "${PLACE_GIVEN[@]}" close "${PLACE_GIVEN[@]}" 'send debuttraitement\n' close \
        "${PLACE_GIVEN[@]}" 'send debuttraitement\nresultat HELLO\n' close \
        "${PLACE_GIVEN[@]}" 'send debuttraitement\nresultat HELLO\nfintraite' close \
        "${PLACE_GIVEN[@]}" 'send debuttraitement\nresultat HELLO\n' reset "${ALL_WELL[@]}"
    start_asking -r 20 'requetetype1 hello'
    await_end 20000
    expect_answers HELLO
    expect_played
}

@test "4.8.15 an answer without fintraitement is none: exit 1, and nothing printed" {
    because "end of file before fintraitement is a failure: the server may have died over it. Print only what is whole"
    local answer
    for answer in '' 'debuttraitement\n' 'debuttraitement\nresultat HELLO\n' 'debuttraitement\nresultat HELLO\nfintraite' \
        'debuttraitement\nresultat HELLO\nfintraitement'; do
        script+=("${PLACE_GIVEN[@]}" "send $answer" close)
    done
    fake_servers "${script[@]}"
    for answer in 1 2 3 4 5; do
        ask -r 0 'requetetype1 hello'
        expect_unanswered
    done
}

@test "4.8.16 errtraitement, from either server and at any stage, is no answer" {
    because "whoever prints the third line without a look at the first two, prints anything"
    fake_servers 'serve 2222 .' 'send errtraitement no\n' close "${PLACE_GIVEN[@]}" 'send errtraitement no\n' close \
        "${PLACE_GIVEN[@]}" 'send debuttraitement\nerrtraitement no\n' close \
        "${PLACE_GIVEN[@]}" 'send debuttraitement\nresultat HELLO\nerrtraitement no\n' close
    local stage
    for stage in principal secondary working worked; do
        ask -r 0 'requetetype1 hello'
        expect_unanswered
    done
}

@test "4.7.2 garbage in place of PORT TOKEN is no answer" {
    because "atoi(3) finds a number in anything; a port is 1 to 65535, then comes a space, then a token"
    local garbage=('' ' ' hello 2223 '99999 key' '-1 key' '0 key' '2223key' 'key 2223' '\0\0\0') line script=()
    for line in "${garbage[@]}"; do
        script+=('serve 2222 .' "send $line\\n" close)
    done
    fake_servers "${script[@]}"
    for line in "${garbage[@]}"; do
        ask -r 0 -t 1000 'requetetype1 hello'
        expect_unanswered
    done
}

@test "4.8.17 lines that never end are no answer" {
    because "a line has at most 512 bytes: who reads on until a newline comes, reads as long as the other side likes"
    fake_servers 'serve 2222 .' 'flood 20000000' close "${PLACE_GIVEN[@]}" 'flood 20000000' close \
        "${PLACE_GIVEN[@]}" 'send debuttraitement\nresultat ' 'flood 2000' 'send \n' 'silence 30000'
    local stage
    for stage in principal secondary; do
        ask -r 0 -t 2000 'requetetype1 hello'
        expect_unanswered
    done
    ask -r 0 -t 1000 'requetetype1 hello'
    expect_status 1
    expect_no_process_left
}

@test "4.8.18 an answer counts however it is cut: a byte at a time, all lines in one piece, or with \\r" {
    because "TCP carries bytes, not messages: one read(2) may bring half a line, or three. tcp(7)"
    fake_servers 'serve 2222 ^requetetype1' 'slowly 2223 key\n' 'serve 2223 ^key hello$' \
        'slowly debuttraitement\nresultat HELLO\nfintraitement\n' close \
        "${ALL_WELL[@]}" \
        "${PLACE_GIVEN[@]}" 'send debuttraite' 'silence 30' 'send ment\nresultat HEL' 'silence 30' 'send LO\nfintraitement\n' close \
        'serve 2222 ^requetetype1' 'send 2223 key\r\n' 'serve 2223 ^key hello$' \
        'send debuttraitement\r\nresultat HELLO\r\nfintraitement\r\n' close
    local way
    for way in slowly merged split crlf; do
        ask -r 0 'requetetype1 hello'
        expect_answers HELLO
    done
    expect_played
}

@test "4.8.19 the client may be served by servers that are replaced between two requests" {
    because "a connection that was kept open may have ended meanwhile: that is found out by the next read or write, and is no last word"
    fake_servers "${ALL_WELL[@]}" 'serve 2222 .' close "${ALL_WELL[@]}"
    ask -r 3 'requetetype1 hello' 'requetetype1 hello'
    expect_answers HELLO HELLO
}

# ---- healing while clients are served

# SIGNAL ROLE: it strikes while the request is being worked on.
answers_although() {
    because "what was under way dies with its server: the client asks again, and the next server knows nothing of the last one's requests"
    WORK_MS=1500 PERIOD_MS=300 TIMEOUT_MS=600     # the frozen are found before their work would be done
    start_lab
    start_asking -r 50 'requetetype1 hello'
    the_lab
    await ' debuttraitement [0-9]+( |$)'
    remember
    send "$1" "$2"
    look_at "${STARTS[-1]}"
    await_end
    expect_answers HELLO
    the_lab
    await " restarted $2\\[[0-9]+\\] was $(was "$2")\$"
    stop_lab
}

@test "4.9.5 a secondary killed over a request costs the client no answer (delegated)" {
    answers_although KILL secondary1
}

@test "4.9.6 a secondary killed over a request costs the client no answer (direct)" {
    POLICY=direct
    answers_although KILL secondary1
}

@test "4.9.7 a secondary frozen over a request costs the client no answer (delegated)" {
    answers_although STOP secondary1
}

@test "4.9.8 a secondary frozen over a request costs the client no answer (direct)" {
    POLICY=direct
    answers_although STOP secondary1
}

@test "4.9.9 a principal killed over a request costs the client no answer (delegated)" {
    answers_although KILL principal
}

@test "4.9.10 a principal killed over a request costs the client no answer (direct)" {
    POLICY=direct
    answers_although KILL principal
}

@test "4.9.11 a principal frozen over a request costs the client no answer (delegated)" {
    answers_although STOP principal
}

@test "4.9.12 a principal frozen over a request costs the client no answer (direct)" {
    POLICY=direct
    answers_although STOP principal
}

@test "4.8.20 who comes while the principal is frozen waits, and is served by the next one" {
    because "the listening socket was made by the watchdog and outlives the principal, and with it the queue of who has come. listen(2), fork(2)"
    PERIOD_MS=600 TIMEOUT_MS=300
    start_lab
    remember
    send STOP principal
    ask -r 0 -t "$ANSWER_MS" 'requetetype1 hello'
    expect_answers HELLO
    the_lab
    expect_line " restarted principal\\[[0-9]+\\] was $(was principal)\$"
}

# Four early deaths running: the last restarts are delayed, so the time without a server is long enough to be hit.
never_refuses() {
    because "a socket that each new server binds anew refuses whoever comes in between, SO_REUSEADDR or not: make it once, before fork(2)"
    start_lab
    local enough=$BATS_TEST_TMPDIR/enough
    start_talk "hammer $enough $ADDRESS 2222"
    start_talk "hammer $enough $ADDRESS 2223"
    the_lab
    local role talk
    for role in secondary1 secondary1 secondary1 secondary1 principal principal principal principal; do
        remember
        send KILL "$role"
        await_new " (re)?started $role\\["
    done
    touch "$enough"
    for talk in "${STARTS[@]:1:2}"; do
        look_at "$talk"
        await_end
        expect_line '^refused 0 of [0-9]{2,}$'
    done
    expect_still_served
}

@test "4.5.24 no connection is refused while servers are replaced (delegated)" {
    never_refuses
}

@test "4.5.25 no connection is refused while servers are replaced (direct)" {
    POLICY=direct
    never_refuses
}

@test "4.9.13 many clients through deaths and freezes: every request is answered" {
    because "a request is lost with its server, or answered, or asked again: there is no fourth way"
    N=3 WORK_MS=40 PERIOD_MS=300 TIMEOUT_MS=250
    start_lab -q
    local requests
    readarray -t requests < <(seq -f 'requetetype1 n%.0f' 20)
    start_crowd 8 -r 50 -t 5000 "${requests[@]}"
    local victim
    for victim in 'KILL secondary1' 'STOP secondary2' 'KILL principal' 'KILL secondary3'; do
        let_pass 250
        the_lab
        # shellcheck disable=SC2086
        send $victim
    done
    look_at "${STARTS[1]}"
    await_end 25000
    expect_status 0
    expect_equal "results, different and all" "20 160" "$(journal | sort -u | wc -l) $(journal | wc -l)"
    the_lab
    stop_lab
}

@test "4.3.3 a server forked later keeps no client's connection open" {
    because "after fork(2) the child has every descriptor of its parent, the clients' connections too: an end of file comes when the last copy is closed"
    start_lab
    start_talk "connect $ADDRESS 2222" 'send requetetype1\n' expect-place \
        "until $BATS_TEST_TMPDIR/replaced" half-close expect-end
    await '^2223 '
    the_lab
    remember
    send KILL secondary1
    await_replaced secondary1
    touch "$BATS_TEST_TMPDIR/replaced"
    look_at "${STARTS[1]}"
    await_end
    expect_status 0
}

@test "4.8.21 an orderly stop with clients in every state is in time and leaves nothing" {
    because "who stops does not wait for its clients: they may never come to an end"
    N=2 WORK_MS=10000
    start_lab
    start_talk "connect $ADDRESS 2222" "connect $ADDRESS 2223" "connect $ADDRESS 2224" "connect $ADDRESS 2222" 'send requetetype1\n' \
        expect-place "connect $ADDRESS %p" 'send %t hello\n' 'expect ^debut' 'tell working' 'silence 30000'
    await '^working$'
    start_crowd 5 -t 20000 -r 0 'requetetype1 hello'
    the_lab
    await_count 2 ' debuttraitement '
    stop_lab
}

@test "4.9.14 the watchdog killed while clients are served: all gone in a second, and the next start has the ports" {
    because "nobody tells the servers: they see the end of file of a pipe whose other end only the watchdog held. pipe(7)"
    WORK_MS=5000
    supervise_with -g 3000
    start_lab
    start_asking -r 0 -t 20000 'requetetype1 hello'
    the_lab
    await ' debuttraitement '
    send KILL "$PROGRAM_PID"
    await_end
    expect_all_gone_within 1000
    look_at "${STARTS[1]}"
    await_end
    expect_unanswered
    WORK_MS=20
    start_lab
    expect_still_served
    stop_lab
}
