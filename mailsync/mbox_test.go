package mailsync

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// showMbox reads an mbox to its end and shows each letter in a line.
func showMbox(r io.Reader, at io.ReaderAt) string {
	var b strings.Builder
	m := newMboxReader(r, at)
	for {
		l, fault, err := m.next()
		switch {
		case errors.Is(err, io.EOF):
			return b.String()
		case err != nil:
			fmt.Fprintf(&b, "error: %v\n", err)
			return b.String()
		case fault != nil:
			fmt.Fprintf(&b, "fault: %v\n", fault)
			continue
		}
		h := ReadHeader(l.Raw, received)
		fmt.Fprintf(&b, "%d:%d %q %q", l.Line, l.Offset, h.Subject, bodyOf(l.Raw))
		if l.Cut {
			b.WriteString(" cut")
		}
		if l.Short {
			b.WriteString(" short")
		}
		b.WriteByte('\n')
	}
}

func TestMboxReader(t *testing.T) {
	const sep = "From anna@x.test Mon Nov 23 10:15:00 2026\n"
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"no mbox", "PK\x03\x04\nSubject: x\n", "error: it is no mbox: no line of it begins with \"From \" and a letter's header below\n"},
		{"two letters", sep + "Subject: a\n\none\n\n" + sep + "Subject: b\n\ntwo\n", "1:0 \"a\" \"one\\n\"\n6:59 \"b\" \"two\\n\"\n"},
		{"CRLF", strings.ReplaceAll(sep+"Subject: a\n\none\n\n"+sep+"Subject: b\n\ntwo\n", "\n", "\r\n"), "1:0 \"a\" \"one\\r\\n\"\n6:64 \"b\" \"two\\r\\n\"\n"},
		{"mboxo", sep + "Subject: a\n\n>From the start\n\n>From here\n", "1:0 \"a\" \"From the start\\n\\nFrom here\\n\"\n"},
		{"mboxrd", sep + "Subject: a\n\n>From x\n>>From y\n> From z\n>Fromage\n", "1:0 \"a\" \"From x\\n>From y\\n> From z\\n>Fromage\\n\"\n"},
		{"a sentence that nobody quoted", sep + "Subject: a\n\n\nFrom 10:00 to 12:00 in 2026 we\nare open: come\n\nFrom now on\nNote: closed\n", "1:0 \"a\" \"\\nFrom 10:00 to 12:00 in 2026 we\\nare open: come\\n\\nFrom now on\\nNote: closed\\n\"\n"},
		{"Thunderbird", "From - Mon Nov 23 10:15:00 2026\nX-Mozilla-Status: 0001\nSubject: a\n\none\n\nFrom \nSubject: b\n\ntwo\n", "1:0 \"a\" \"one\\n\"\n7:72 \"b\" \"two\\n\"\n"},
		{"Google", "From 1785@xxx Mon Nov 23 10:15:00 +0000 2026\nX-GM-THRID: 1\nSubject: a\n\none\n", "1:0 \"a\" \"one\\n\"\n"},
		{"mboxcl", sep + "Subject: a\nContent-Length: 67\n\nthe whole of another one:\n\n" + sep + "\n" + sep + "Subject: b\n\ntwo\n", ""},
		{"Content-Length lies", sep + "Subject: a\nContent-Length: 9\n\none\n\n" + sep + "Subject: b\nContent-Length: 4\n\ntwo\n", "1:0 \"a\" \"one\\n\"\n7:77 \"b\" \"two\\n\"\n"},
		{"cut off", sep + "Subject: a\nContent-Length: 100\n\none", "1:0 \"a\" \"one\" short\n"},
		{"rubbish first", "\x00\x01rubbish\n\n" + sep + "Subject: a\n\none\n", "fault: line 1 (byte 0): 11 bytes before the first letter are passed over\n3:11 \"a\" \"one\\n\"\n"},
		{"a letter without a header", sep + "Subject: a\n\none\n\n" + sep + "\n\n" + sep + "Subject: b\n\ntwo\n", ""},
		{"NULs between", sep + "Subject: a\n\none\n\n" + sep + "X: \x00\x00\n\n" + sep + "Subject: b\n\ntwo\n", "1:0 \"a\" \"one\\n\"\nfault: line 6 (byte 59): a letter without a header, 7 bytes\n9:108 \"b\" \"two\\n\"\n"},
		{"no break at the end", sep + "Subject: a\n\none", "1:0 \"a\" \"one\"\n"},
		{"only a separator", sep, "fault: line 1 (byte 0): a letter without a header, 0 bytes\n"},
		{"a byte order mark", "\ufeff" + sep + "Subject: a\n\none\n", "1:0 \"a\" \"one\\n\"\n"},
	} {
		switch c.name {
		case "mboxcl":
			n := len("the whole of another one:\n\n" + sep)
			c.in = strings.Replace(c.in, "67", fmt.Sprint(n), 1)
			// Without a file to look ahead in, the quoting alone has to do.
			c.want = fmt.Sprintf("1:0 \"a\" %q\n9:%d \"b\" \"two\\n\"\n", "the whole of another one:\n\n"+sep, len(sep)+len("Subject: a\nContent-Length: 69\n\n")+n+1)
		case "a letter without a header":
			// The second separator has no field below it, and so is text.
			c.want = fmt.Sprintf("1:0 \"a\" %q\n9:103 \"b\" \"two\\n\"\n", "one\n\n"+sep+"\n")
		}
		got := showMbox(iotest.OneByteReader(strings.NewReader(c.in)), strings.NewReader(c.in))
		if got != c.want {
			t.Errorf("%s: got\n%swant\n%s", c.name, got, c.want)
		}
	}
}

// TestMboxReader_Huge: a letter that is longer than what is kept, one line
// that is longer than the buffer, and a reader that fails.
func TestMboxReader_Huge(t *testing.T) {
	const sep = "From - Mon Nov 23 10:15:00 2026\n"
	huge := io.MultiReader(strings.NewReader(sep+"Subject: a\n\nbegin\n"), io.LimitReader(zeros{}, 3*maxMboxLetter),
		strings.NewReader("\n\n"+sep+"Subject: b\n\ntwo\n"), iotest.ErrReader(errors.New("the disk is gone")))
	m := newMboxReader(huge, nil)
	l, _, err := m.next()
	if err != nil || !l.Cut || len(l.Raw) > maxMboxLetter || l.Size < 3*maxMboxLetter {
		t.Fatalf("%v, cut %v, %d of %d bytes", err, l.Cut, len(l.Raw), l.Size)
	}
	if l, _, err = m.next(); err != nil || !bytes.HasSuffix(l.Raw, []byte("two\n")) {
		t.Errorf("the next one: %v, %v", l, err)
	}
	if _, _, err = m.next(); err == nil || !strings.Contains(err.Error(), "disk is gone") || !strings.Contains(err.Error(), "line 10") {
		t.Errorf("the end: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

func FuzzMbox(f *testing.F) {
	letters, _ := filepath.Glob("testdata/letters/*.eml")
	for _, name := range letters {
		if b, err := os.ReadFile(name); err == nil {
			f.Add("From - Mon Nov 23 10:15:00 2026\n" + string(b) + "\nFrom \nSubject: x\n\ny\n")
		}
	}
	f.Add("From a 10:00 2026\nContent-Length: 5\nTo: x\n\n>From \n\nFrom ")
	f.Fuzz(func(t *testing.T, s string) {
		a := showMbox(strings.NewReader(s), nil)
		if b := showMbox(iotest.HalfReader(strings.NewReader(s)), nil); a != b {
			t.Errorf("read in pieces it differs:\n%s\n%s", a, b)
		}
		m := newMboxReader(strings.NewReader(s), strings.NewReader(s))
		last := int64(-1)
		for {
			l, fault, err := m.next()
			if err != nil {
				break
			}
			if fault != nil {
				continue
			}
			if l.Offset <= last || l.Offset >= int64(len(s)) || l.Size > int64(len(s)) {
				t.Fatalf("letter at %d after %d, %d bytes", l.Offset, last, l.Size)
			}
			last = l.Offset
		}
	})
}
