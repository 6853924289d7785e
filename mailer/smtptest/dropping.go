package smtptest

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// Dropping is a server that says PIPELINING, and forgets all behind the first
// line of a packet.
func Dropping(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	serve := func(conn net.Conn) {
		defer conn.Close()
		io.WriteString(conn, "220 hello\r\n")
		buf := make([]byte, 4096)
		for text := false; ; {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			line, _, _ := strings.Cut(string(buf[:n]), "\r\n")
			switch {
			case text:
				text = false
				io.WriteString(conn, "250 taken\r\n")
			case line == "DATA":
				text = true
				io.WriteString(conn, "354 go on\r\n")
			case strings.HasPrefix(line, "EHLO"):
				io.WriteString(conn, "250-me\r\n250 PIPELINING\r\n")
			default:
				io.WriteString(conn, "250 ok\r\n")
			}
		}
	}
	all.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() { serve(conn) })
		}
	})
	t.Cleanup(func() { ln.Close(); all.Wait() })
	return ln.Addr().String()
}
