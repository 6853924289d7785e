// Package porttest finds ports for servers that tests stop and start again.
package porttest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Ports of which the system gives none to who asks for any, or for connections
// (net.ipv4.ip_local_port_range begins at 32768): a server that is restarted
// finds its own free again, whatever other tests do meanwhile.
const first, behind = 10_000, 32_768

// Find gives a port of 127.0.0.1 on which nobody listens.
func Find() (port int, err error) {
	for range 100 {
		port := first + rand.IntN(behind-first)
		if l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port)); err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port was found")
}

// Addr is Find for a test, as host:port.
func Addr(t testing.TB) string {
	t.Helper()
	port, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint("127.0.0.1:", port)
}
