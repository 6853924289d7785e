// Package porttest finds ports for servers that tests stop and start again.
package porttest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// Ports of which the system gives none to who asks for any, or for connections
// (net.ipv4.ip_local_port_range begins at 32768): a server that is restarted
// finds its own free again, whatever other tests do meanwhile.
const first, behind = 10_000, 32_768

var (
	mu    sync.Mutex
	given = map[int]bool{}
)

// Find gives a port of 127.0.0.1 on which nobody listens, another one each time:
// what is about to listen on the last one may not do so yet.
func Find() (port int, err error) {
	mu.Lock()
	defer mu.Unlock()
	for range 100 {
		port := first + rand.IntN(behind-first)
		if given[port] {
			continue
		}
		given[port] = true
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
