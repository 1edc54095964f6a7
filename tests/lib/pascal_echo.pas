{ A TLS server with Free Pascal's openssl unit, which finds libssl by dlopen and dlsym:
  `pascal_echo PEM PORT`. It echoes every line and serves one connection at a time. }
program pascal_echo;

{$mode objfpc}{$h+}

uses
  baseunix, sockets, sysutils, openssl;

var
  listener, connection, count, one: longint;
  address: tinetsockaddr;
  context: PSSL_CTX;
  stream: PSSL;
  buffer: array[0..4095] of char;

procedure need(ok: boolean; const what: string);
begin
  if ok then exit;
  writeln(stderr, 'pascal_echo: ', what);
  halt(2);
end;

begin
  need(InitSSLInterface, 'no libssl');
  context := SslCtxNew(SslTLSMethod);
  need(context <> nil, 'no context');
  need(SslCtxUseCertificateFile(context, paramstr(1), SSL_FILETYPE_PEM) = 1, 'no certificate');
  need(SslCtxUsePrivateKeyFile(context, paramstr(1), SSL_FILETYPE_PEM) = 1, 'no key');
  one := 1;
  listener := fpsocket(AF_INET, SOCK_STREAM, 0);
  fpsetsockopt(listener, SOL_SOCKET, SO_REUSEADDR, @one, sizeof(one));
  address.sin_family := AF_INET;
  address.sin_port := htons(strtoint(paramstr(2)));
  address.sin_addr := StrToNetAddr('127.0.0.1');
  need(fpbind(listener, @address, sizeof(address)) = 0, 'no port');
  need(fplisten(listener, 16) = 0, 'no listener');
  repeat
    connection := fpaccept(listener, nil, nil);
    stream := SslNew(context);
    SslSetFd(stream, connection);
    count := SslAccept(stream);
    while count > 0 do
    begin
      count := SslRead(stream, @buffer, sizeof(buffer));
      if count > 0 then
        SslWrite(stream, @buffer, count);
    end;
    SslFree(stream);
    CloseSocket(connection);
  until false;
end.
