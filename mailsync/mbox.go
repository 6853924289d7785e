package mailsync

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
)

// Splitting an mbox file: letters one after the other, each below a line
// "From sender date" (RFC 4155 appendix A; mboxo, mboxrd and mboxcl differ in
// how they keep lines of a text that begin so from being taken for one). The
// file is streamed: of a letter no more than maxMboxLetter is kept.
const (
	maxMboxLetter = 4 << 20
	mboxBuffer    = 64 << 10
)

// mboxLetter is one letter of an mbox.
type mboxLetter struct {
	Raw    []byte // without the "From " line and its quoting; valid until the next one
	From   string // the "From " line
	Offset int64  // of the "From " line in the file
	Line   int64  // … from 1
	Size   int64  // bytes that it has in the file, without the "From " line
	Cut    bool   // it is longer than what is kept
	// Short: its Content-Length says that the file has lost some of it.
	Short bool
}

// mboxFault is a place of an mbox that holds no letter.
type mboxFault struct {
	Offset, Line int64
	Reason       string
}

func (f mboxFault) String() string {
	return fmt.Sprintf("line %d (byte %d): %s", f.Line, f.Offset, f.Reason)
}

// errNoMbox: no line begins a letter.
var errNoMbox = errors.New(`it is no mbox: no line of it begins with "From " and a letter's header below`)

// mboxMark begins the line above a letter.
var mboxMark = []byte("From ")

// mboxReader splits an mbox.
type mboxReader struct {
	in   *bufio.Reader
	at   io.ReaderAt // to look ahead for Content-Length; nil for a stream
	pos  int64       // bytes read
	line int64       // lines read

	from       string // the "From " line that has been read, of the next letter
	fromOffset int64
	fromLine   int64
	raw        bytes.Buffer
	passed     *mboxFault // what stood before the first letter
	seen       bool       // a letter
	err        error      // that ended the file early
}

// newMboxReader reads from r. at may be nil; it is the same file, to verify
// what Content-Length says.
func newMboxReader(r io.Reader, at io.ReaderAt) *mboxReader {
	return &mboxReader{in: bufio.NewReaderSize(r, mboxBuffer), at: at}
}

// piece reads a line, or as much of it as the buffer holds. whole: it ends in
// a line break, or the file ends. It is valid until the next read.
func (m *mboxReader) piece() (b []byte, whole bool, err error) {
	b, err = m.in.ReadSlice('\n')
	m.pos += int64(len(b))
	if bytes.HasPrefix(b, mboxMark) {
		b = bytes.Clone(b) // looking ahead moves the buffer
	}
	switch {
	case err == nil:
		m.line++
		return b, true, nil
	case errors.Is(err, bufio.ErrBufferFull):
		return b, false, nil
	case len(b) > 0: // the last line, without a break; the next read gives the error
		return b, true, nil
	}
	return nil, true, err
}

// fromDate is what tells a separator from a sentence that begins with "From":
// a clock and a year, as asctime and its variants write them.
var fromDate = regexp.MustCompile(`\d{1,2}:\d{2}.*\b\d{4}\b|\b\d{4}\b.*\d{1,2}:\d{2}`)

// fieldLine is a line that may be the first of a header.
var fieldLine = regexp.MustCompile(`^(?:[!-9;-~]{1,76}[ \t]*:|>From |From )`)

// separates reports whether a line that follows an empty one begins a letter:
// it is "From ", alone (Thunderbird) or with a date, and a header field
// follows, which a sentence in a text does not have below it.
func (m *mboxReader) separates(line []byte) bool {
	if !bytes.HasPrefix(line, mboxMark) {
		return false
	}
	rest := bytes.TrimSpace(line[5:])
	if len(rest) > 0 && !bytes.Equal(rest, []byte("-")) && !fromDate.Match(rest[:min(len(rest), 500)]) {
		return false
	}
	ahead, _ := m.in.Peek(200)
	return len(ahead) == 0 || fieldLine.Match(ahead)
}

// next gives the next letter; io.EOF after the last. A letter that has no
// header at all is a fault beside which the reader goes on.
func (m *mboxReader) next() (*mboxLetter, *mboxFault, error) {
	if !m.seen {
		if err := m.begin(); err != nil {
			return nil, nil, err
		}
		if m.passed != nil {
			f := m.passed
			m.passed = nil
			return nil, f, nil
		}
	}
	if m.from == "" {
		if m.err != nil {
			return nil, nil, m.err
		}
		return nil, nil, io.EOF
	}
	l := &mboxLetter{From: m.from, Offset: m.fromOffset, Line: m.fromLine}
	m.body(l)
	if len(bytes.TrimSpace(l.Raw[:min(len(l.Raw), 4096)])) == 0 || !hasHeader(l.Raw) {
		return nil, &mboxFault{l.Offset, l.Line, fmt.Sprintf("a letter without a header, %d bytes", l.Size)}, nil
	}
	return l, nil, nil
}

// hasHeader reports whether a letter says from or to whom, when or about what.
func hasHeader(raw []byte) bool {
	f := readFields(skipBlank(raw), wantedFields)
	for _, name := range []string{"from", "to", "date", "subject", "message-id", "sender", "cc"} {
		if f.first(name) != "" {
			return true
		}
	}
	return false
}

// begin finds the first letter.
func (m *mboxReader) begin() error {
	fresh := true // a line begins
	for {
		offset, number := m.pos, m.line+1
		b, whole, err := m.piece()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errNoMbox
				if m.pos == 0 {
					err = io.EOF // an empty mbox is one
				}
			}
			return err
		}
		if offset == 0 {
			b = bytes.TrimPrefix(b, []byte("\ufeff"))
		}
		// Before the first letter no empty line is asked for.
		if fresh && whole && m.separates(b) {
			if offset > 0 {
				m.passed = &mboxFault{0, 1, fmt.Sprintf("%d bytes before the first letter are passed over", offset)}
			}
			m.seen, m.from, m.fromOffset, m.fromLine = true, mboxFrom(b), offset, number
			return nil
		}
		fresh = whole
	}
}

// mboxFrom keeps a "From " line, which is never empty then.
func mboxFrom(b []byte) string {
	return "From " + string(bytes.TrimSpace(b[5:min(len(b), 500)]))
}

// body reads a letter up to the next one or the end.
func (m *mboxReader) body(l *mboxLetter) {
	m.from = ""
	m.raw.Reset()
	keep := func(b []byte) {
		l.Size += int64(len(b))
		if room := maxMboxLetter - m.raw.Len(); len(b) > room {
			l.Cut = true
			b = b[:max(room, 0)]
		}
		m.raw.Write(b)
	}
	fresh, blank, header := true, false, true
	trusted := int64(0) // up to here the length tells that it is the text
	length, start := int64(-1), int64(0)
	for {
		offset, number := m.pos, m.line+1
		b, whole, err := m.piece()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				m.err = fmt.Errorf("after line %d (byte %d): %w", m.line, m.pos, err)
			}
			l.Short = !header && length > m.pos-start
			break
		}
		empty := fresh && whole && len(bytes.TrimRight(b, "\r\n")) == 0
		if fresh && blank && whole && offset >= trusted && m.separates(b) {
			m.from, m.fromOffset, m.fromLine = mboxFrom(b), offset, number
			break
		}
		if header {
			switch {
			case empty:
				header, start = false, m.pos
				if length >= 0 {
					trusted = m.trust(m.pos, length)
				}
			case fresh && length < 0:
				length = contentLength(b)
			}
		} else if fresh && quotedFrom(b) {
			b = b[1:]
		}
		keep(b)
		fresh, blank = whole, empty
	}
	l.Raw = m.raw.Bytes()
	if m.from != "" { // the empty line before a separator is the mbox's
		l.Raw = trimBreak(l.Raw)
	}
}

// quotedFrom reports a line that was given one ">" more: mboxo quotes "From ",
// mboxrd ">From " too.
func quotedFrom(b []byte) bool {
	return len(b) > 5 && b[0] == '>' && bytes.HasPrefix(bytes.TrimLeft(b, ">"), mboxMark)
}

// contentLength is what a header line says of the body's length, else -1.
func contentLength(line []byte) int64 {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || !bytes.EqualFold(bytes.TrimSpace(name), []byte("content-length")) {
		return -1
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// trust looks whether a body that begins at start and has that length ends
// where a letter begins or the file ends, and gives its end; start where it
// does not, since many programs let Content-Length lie.
func (m *mboxReader) trust(start, length int64) int64 {
	if m.at == nil || length == 0 || length > 1<<40 {
		return start
	}
	// Its last byte, and what follows: nothing, or the next letter.
	b := make([]byte, 16)
	n, err := m.at.ReadAt(b, start+length-1)
	if n == 0 {
		return start
	}
	rest := bytes.TrimLeft(b[1:n], "\r\n")
	if len(rest) == 0 && errors.Is(err, io.EOF) || bytes.HasPrefix(rest, mboxMark) {
		return start + length
	}
	return start
}
