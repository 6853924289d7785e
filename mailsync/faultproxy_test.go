package mailsync

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// faultProxy is a network at its worst between the Syncer and a server, until
// it is told to heal. What goes wrong, and after how many bytes, comes from a
// seed; only the interleaving of connections is the machine's.
type faultProxy struct {
	Addr   string
	server string
	faults []fault
	mean   int // bytes of one direction between two faults, about
	stall  time.Duration
	seed   uint64

	healthy atomic.Bool
	quit    chan struct{}

	mu    sync.Mutex
	conns int
	count map[fault]int
	open  map[net.Conn]bool
}

type fault string

const (
	faultDelay    fault = "delay"    // a pause, then everything goes on
	faultCut      fault = "cut"      // the connection ends between two chunks
	faultTruncate fault = "truncate" // … within one
	faultStall    fault = "stall"    // nothing passes any more, though the connection stands
	faultDrop     fault = "drop"     // some bytes are missing, the rest goes on
	faultCorrupt  fault = "corrupt"  // some bytes are others: any
	faultHighBit  fault = "high bit" // some bytes have their highest bit turned
)

// newFaultProxy passes to the server what its faults leave of it. A stalled
// connection ends after stall.
func newFaultProxy(t testing.TB, server string, seed uint64, mean int, stall time.Duration, faults ...fault) *faultProxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &faultProxy{Addr: ln.Addr().String(), server: server, faults: faults, mean: mean, stall: stall, seed: seed,
		quit: make(chan struct{}), count: map[fault]int{}, open: map[net.Conn]bool{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", server)
			if err != nil { // the server is being restarted
				client.Close()
				continue
			}
			p.mu.Lock()
			p.conns++
			n := uint64(p.conns)
			p.open[client], p.open[up] = true, true
			p.mu.Unlock()
			both := func() {
				client.Close()
				up.Close()
			}
			wg.Go(func() {
				p.pass(up, client, rand.New(rand.NewPCG(seed, 2*n)))
				both()
			})
			wg.Go(func() {
				p.pass(client, up, rand.New(rand.NewPCG(seed, 2*n+1)))
				both()
				p.mu.Lock()
				delete(p.open, client)
				delete(p.open, up)
				p.mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		close(p.quit)
		ln.Close()
		p.mu.Lock()
		for c := range p.open {
			c.Close()
		}
		p.mu.Unlock()
		wg.Wait()
	})
	return p
}

// pass copies one direction until it, or a fault, ends the connection.
func (p *faultProxy) pass(to io.Writer, from io.Reader, random *rand.Rand) {
	buf := make([]byte, 4<<10)
	left := p.next(random)
	for {
		n, err := from.Read(buf[:1+random.IntN(len(buf))])
		chunk := buf[:n]
		if left -= n; left <= 0 && n > 0 && !p.healthy.Load() {
			left = p.next(random)
			end := false
			if chunk, end = p.bend(chunk, random); end {
				to.Write(chunk)
				return
			}
		}
		if len(chunk) > 0 {
			if _, err := to.Write(chunk); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// next is how many bytes pass before something happens: often few, seldom many.
func (p *faultProxy) next(random *rand.Rand) int {
	return 1 + int(random.ExpFloat64()*float64(p.mean))
}

// bend is what a fault leaves of a chunk, and whether the connection ends.
func (p *faultProxy) bend(chunk []byte, random *rand.Rand) (rest []byte, end bool) {
	what := p.faults[random.IntN(len(p.faults))]
	p.mu.Lock()
	p.count[what]++
	p.mu.Unlock()
	switch what {
	case faultDelay:
		p.sleep(time.Duration(random.IntN(int(p.stall / 4))))
	case faultCut:
		return nil, true
	case faultTruncate:
		return chunk[:random.IntN(len(chunk))], true
	case faultStall:
		p.sleep(p.stall)
		return nil, true
	case faultDrop:
		at := random.IntN(len(chunk))
		return append(chunk[:at], chunk[min(len(chunk), at+1+random.IntN(8)):]...), false
	case faultCorrupt:
		for range 1 + random.IntN(3) {
			chunk[random.IntN(len(chunk))] ^= byte(1 + random.IntN(255))
		}
	case faultHighBit:
		for range 1 + random.IntN(3) {
			chunk[random.IntN(len(chunk))] ^= 0x80
		}
	}
	return chunk, false
}

func (p *faultProxy) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.quit:
	case <-timer.C:
	}
}

// heal ends the faults and the connections that may have suffered one.
func (p *faultProxy) heal() {
	p.healthy.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.Close()
	}
}

// String tells what happened.
func (p *faultProxy) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, f := range slices.Sorted(maps.Keys(p.count)) {
		out = append(out, fmt.Sprintf("%d × %s", p.count[f], f))
	}
	return fmt.Sprintf("%d connections: %s", p.conns, strings.Join(out, ", "))
}

// every reports whether each kind of fault happened.
func (p *faultProxy) every() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !slices.ContainsFunc(p.faults, func(f fault) bool { return p.count[f] == 0 })
}
