#!/usr/bin/env escript
%% How long a supervisor takes to start a crashed worker again: escript crasher.escript crash COUNT
%% Writes seconds. The worker crashes as soon as it runs, COUNT times; what is logged goes nowhere.
-module(crasher).
-mode(compile).
-export([init/1, start/2, work/2, main/1]).

init({Left, Waiting, Count}) ->
    Worker = #{id => worker, start => {?MODULE, start, [Left, Waiting]}, restart => transient},
    {ok, {#{strategy => one_for_one, intensity => Count, period => 60}, [Worker]}}.

start(Left, Waiting) -> {ok, proc_lib:spawn_link(?MODULE, work, [Left, Waiting])}.

work(Left, Waiting) ->
    case counters:get(Left, 1) of
        0 ->
            Waiting ! done,
            receive stop -> ok end;
        _ ->
            counters:sub(Left, 1, 1),
            exit(crash)
    end.

main(["crash", Text]) ->
    Count = list_to_integer(Text),
    logger:set_primary_config(level, none),
    crashes(Count),    % to warm up
    {Microseconds, _} = timer:tc(fun() -> crashes(Count) end),
    io:format("~w ~s~n", [Microseconds / 1.0e6, erlang:system_info(otp_release)]).

crashes(Count) ->
    Left = counters:new(1, []),
    counters:put(Left, 1, Count),
    {ok, Supervisor} = supervisor:start_link(?MODULE, {Left, self(), Count}),
    receive done -> ok end,
    unlink(Supervisor),
    exit(Supervisor, shutdown).
