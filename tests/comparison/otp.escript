#!/usr/bin/env escript
%% What OTP does where no recording says it: writes a row and an answer a line.
-module(otp).
-mode(compile).
-export([init/1, handle_call/3, handle_cast/2, main/1]).

init(Report) -> {ok, Report}.

handle_call(bomb, _From, Report) -> timer:sleep(20), exit({bomb, Report});
handle_call(What, _From, Report) -> Report ! {handled, What}, {reply, What, Report}.

handle_cast(bomb, _Report) -> exit(bomb);
handle_cast(What, Report) -> Report ! {handled, What}, {noreply, Report}.

main([]) ->
    logger:set_primary_config(level, none),
    [io:format("~s ~s~n", [Row, answer(Row)]) ||
        Row <- [gone, keep, cap, cancelled, orphans, preempt, kill, isolation]].

answer(Row) ->
    case row(Row) of true -> yes; false -> no; Answer -> Answer end.

server() -> {ok, Server} = gen_server:start(?MODULE, self(), []), Server.

%% Both who waits and who is late are told, long before the 5 seconds of a call are over.
row(gone) ->
    Server = server(),
    Told = fun() -> try gen_server:call(Server, bomb), false catch exit:_ -> true end end,
    {Microseconds, Both} = timer:tc(fun() -> [Told(), Told()] end),
    Both =:= [true, true] andalso Microseconds < 1000000;
%% A registered name is given to the next one; what waited for the first is not.
row(keep) ->
    {ok, First} = gen_server:start({local, clerk}, ?MODULE, self(), []),
    Watch = monitor(process, First),
    ok = sys:suspend(First),
    gen_server:cast(clerk, bomb),
    gen_server:cast(clerk, one),
    sys:resume(First),
    receive {'DOWN', Watch, _, _, _} -> ok end,
    {ok, Second} = gen_server:start({local, clerk}, ?MODULE, self(), []),
    gen_server:call(clerk, two),
    gen_server:stop(Second),
    lists:member(one, handled());
row(cap) ->
    Server = server(),
    ok = sys:suspend(Server),
    [gen_server:cast(Server, more) || _ <- lists:seq(1, 10000)],
    {message_queue_len, Waiting} = process_info(Server, message_queue_len),
    exit(Server, kill),
    Waiting < 10000;
%% A caller that is killed while it waits; its call is handled all the same.
row(cancelled) ->
    handled(),
    Server = server(),
    ok = sys:suspend(Server),
    {Caller, Watch} = spawn_monitor(fun() -> gen_server:call(Server, nobody_waits) end),
    wait_for_message(Server),
    exit(Caller, kill),
    receive {'DOWN', Watch, process, Caller, killed} -> ok end,
    sys:resume(Server),
    gen_server:call(Server, last),
    not lists:member(nobody_waits, handled());
%% Who is linked to a process ends with it when it crashes, who is not goes on.
row(orphans) ->
    Self = self(),
    {Parent, Watch} = spawn_monitor(fun() ->
        Self ! {orphans, spawn_link(fun forever/0), spawn(fun forever/0)},
        exit(crash)
    end),
    receive {'DOWN', Watch, process, Parent, _} -> ok end,
    receive {orphans, Linked, Other} -> ok end,
    Ended = monitor(process, Linked),
    receive {'DOWN', Ended, _, _, _} -> ok after 1000 -> ok end,
    Lives = {is_process_alive(Linked), is_process_alive(Other)},
    exit(Other, kill),
    case Lives of {false, false} -> yes; {false, true} -> partly; _ -> no end;
%% With one scheduler, a loop that never yields lets others run all the same.
row(preempt) ->
    erlang:system_flag(schedulers_online, 1),
    Busy = spawn(fun spin/0),
    Server = server(),
    Answer = gen_server:call(Server, hello),
    exit(Busy, kill),
    Answer =:= hello;
row(kill) ->
    Stubborn = spawn(fun() -> process_flag(trap_exit, true), spin() end),
    Watch = monitor(process, Stubborn),
    exit(Stubborn, kill),
    receive {'DOWN', Watch, _, _, killed} -> true after 1000 -> false end;
%% A heap of its own: one that grows past its limit ends alone.
row(isolation) ->
    Grow = fun Grow(List) -> Grow([List | List]) end,
    Options = [monitor, {max_heap_size, #{size => 10000, kill => true, error_logger => false}}],
    {_, Watch} = spawn_opt(fun() -> Grow([]) end, Options),
    receive {'DOWN', Watch, _, _, killed} -> true after 5000 -> false end.

handled() -> receive {handled, What} -> [What | handled()] after 20 -> [] end.

wait_for_message(Server) ->
    case process_info(Server, message_queue_len) of
        {message_queue_len, 0} -> timer:sleep(1), wait_for_message(Server);
        _ -> ok
    end.

forever() -> receive stop -> ok end.

spin() -> spin().
