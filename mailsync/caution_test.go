package mailsync

import (
	"errors"
	"io"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// TestCaution reads a folder of 1,000 letters in which some cannot be read at
// some detail, and wants every letter passed with as much of it as can be had,
// in few steps.
func TestCaution(t *testing.T) {
	garbled := errors.New("garbled") // the library could not parse it
	for name, c := range map[string]struct {
		bad     map[uint32]detail // the first detail at which that letter can be read
		err     error
		network bool
		steps   int // at most
	}{
		"no trouble":           {nil, nil, false, 5},
		"one bad structure":    {map[uint32]detail{700: withWhole}, garbled, false, 25},
		"two in one batch":     {map[uint32]detail{410: withWhole, 590: headerAlone}, garbled, false, 30},
		"nothing can be read":  {map[uint32]detail{1: unreadable, 1000: unreadable}, garbled, false, 40},
		"the server says no":   {map[uint32]detail{700: withWhole}, &imap.Error{Type: imap.StatusResponseTypeNo}, false, 25},
		"the connection drops": {map[uint32]detail{700: unreadable}, io.EOF, true, 35},
	} {
		t.Run(name, func(t *testing.T) {
			s := &session{tcp: &watchedConn{}}
			if c.network {
				s.tcp.cause = io.EOF
			}
			var cautious caution
			how := map[uint32]detail{}
			steps := 0
			for last := uint32(0); last < 1000; {
				if steps++; steps > c.steps {
					t.Fatalf("at letter %d after %d steps", last, steps)
				}
				var uids []uint32
				for uid := last + 1; uid <= min(1000, last+400); uid++ {
					uids = append(uids, uid)
				}
				b, _ := cautious.next(uids, upwards, batchLetters)
				n, d := len(b.uids), b.how
				failed := false
				for _, uid := range b.uids {
					failed = failed || d < c.bad[uid]
				}
				if failed {
					err := cautious.failed(b, s, c.err)
					var again *poison
					var refused *imap.Error
					if patient := c.network || errors.As(c.err, &refused); n > 1 && errors.As(err, &again) == patient {
						t.Fatalf("%d letters failed with %v: %T", n, c.err, err)
					}
					continue
				}
				for _, uid := range b.uids {
					how[uid] = d
				}
				last = b.last()
				cautious.passed(b)
			}
			for uid, d := range how {
				if d != c.bad[uid] {
					t.Errorf("letter %d was read with detail %d, want %d", uid, d, c.bad[uid])
				}
			}
			if (cautious != caution{}) {
				t.Errorf("still cautious: %+v", cautious)
			}
		})
	}
	// The database's own faults are no letter's fault.
	var cautious caution
	err := &storeError{io.ErrUnexpectedEOF}
	if got := cautious.failed(batch{uids: []uint32{1, 2}}, &session{tcp: &watchedConn{}}, err); got != err || (cautious != caution{}) {
		t.Errorf("a fault of the database: %v, %+v", got, cautious)
	}
}

// FuzzBoundedConn: however the stream is cut into reads, the bounds see the
// same, and no byte of it makes them panic.
func FuzzBoundedConn(f *testing.F) {
	f.Add([]byte("* 1 FETCH (BODY[1] {5}\r\n12345 BODY[2] {9999999999}\r\n)\r\n"), 3)
	f.Add([]byte("* OK {\r\n{7}\r\n{1}\r\nx{4194305}"), 1)
	f.Fuzz(func(t *testing.T, stream []byte, step int) {
		step = max(1, step%64)
		passes := func(step int) bool {
			b := &boundedConn{}
			b.maxLine.Store(100)
			for in := stream; len(in) > 0; in = in[min(step, len(in)):] {
				if b.scan(in[:min(step, len(in))]) != nil {
					return false
				}
			}
			return true
		}
		if whole, parts := passes(max(1, len(stream))), passes(step); parts != whole {
			t.Errorf("in one read %v, in steps of %d %v", whole, step, parts)
		}
	})
}
