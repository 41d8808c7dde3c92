#!/usr/bin/env escript
%% How long calls to a gen_server take, or casts: escript counter.escript call|cast COUNT
%% Writes seconds. The server is a counter, as in bench_messaging.py; a burst of 100 casts is
%% followed by a call, so that all are handled when the time is over.
-module(counter).
-mode(compile).
-export([init/1, handle_call/3, handle_cast/2, main/1]).

init(Value) -> {ok, Value}.

handle_call({add, Amount}, _From, Value) -> {reply, Value + Amount, Value + Amount}.

handle_cast({add, Amount}, Value) -> {noreply, Value + Amount}.

main([How, Text]) ->
    Count = list_to_integer(Text),
    {ok, Server} = gen_server:start_link(?MODULE, 0, []),
    Send = sender(How, Server),
    Send(Count),    % to warm up
    {Microseconds, _} = timer:tc(Send, [Count]),
    io:format("~w ~s~n", [Microseconds / 1.0e6, erlang:system_info(otp_release)]).

sender("call", Server) -> fun(Count) -> calls(Server, Count) end;
sender("cast", Server) -> fun(Count) -> bursts(Server, Count div 100) end.

calls(_Server, 0) -> ok;
calls(Server, Count) ->
    gen_server:call(Server, {add, 1}),
    calls(Server, Count - 1).

bursts(_Server, 0) -> ok;
bursts(Server, Count) ->
    casts(Server, 100),
    gen_server:call(Server, {add, 0}),
    bursts(Server, Count - 1).

casts(_Server, 0) -> ok;
casts(Server, Count) ->
    gen_server:cast(Server, {add, 1}),
    casts(Server, Count - 1).
