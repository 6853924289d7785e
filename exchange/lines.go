package exchange

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// maxLine bounds a line of a file and a record of several lines, in bytes.
const maxLine = 1 << 20

// Faults of one line; the reading goes on after it.
var (
	errLongLine = errors.New("the line is longer than 1 MB")
	errNotUTF8  = errors.New("the line is not valid UTF-8, as the rest of the file is")
)

// errNotText ends an import before it began: the file is no text.
var errNotText = errors.New("this is a spreadsheet or an archive, not text; save it as CSV")

// lines reads a text file line by line as UTF-8, whatever its encoding:
// UTF-16 with a byte order mark, UTF-8 with or without one, windows-1251.
//
// Without a mark, the first line with a byte above 127 decides: it is valid
// UTF-8 (Russian in windows-1251 practically never is) or windows-1251 is
// meant. So the file is read once, however late that line comes.
type lines struct {
	r      *bufio.Reader
	end    byte // last byte of a line: LF, or CR in files of the old Macintosh kind
	number int  // of the line read last, from 1
	buf    []byte
	utf8   bool // decided
	cp1251 bool // decided
	count  *counter
}

// counter counts the bytes that were read from the file.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// openLines looks at the first bytes of r. Errors: errNotText, or of r.
func openLines(r io.Reader) (*lines, error) {
	l := &lines{count: &counter{r: r}, end: '\n'}
	l.r = bufio.NewReaderSize(l.count, 64<<10)
	head, err := l.r.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0")), bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return nil, errNotText
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		l.r.Discard(3) // peeked, so it is there
		l.utf8 = true
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		decoder := unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder()
		l.r = bufio.NewReaderSize(decoder.Reader(l.r), 64<<10)
		l.utf8 = true
	}
	// Enough to see a line end, without waiting for more than the first read
	// of a pipe gives.
	l.r.Peek(1)
	start, _ := l.r.Peek(l.r.Buffered())
	if bytes.IndexByte(start, '\n') < 0 && bytes.IndexByte(start, '\r') >= 0 && bytes.IndexByte(start, '\r') < len(start)-1 {
		l.end = '\r'
	}
	return l, nil
}

// next gives the next line without its end. errLongLine and errNotUTF8 refuse
// that line alone; io.EOF and errors of the file end it.
func (l *lines) next() (string, error) {
	line, err := l.raw()
	if err != nil {
		return "", err
	}
	return l.decode(line)
}

// raw is next before its bytes are taken for text. They are good until the
// line after it is read.
func (l *lines) raw() ([]byte, error) {
	l.buf = l.buf[:0]
	long := false
	for {
		part, err := l.r.ReadSlice(l.end)
		if long = long || len(l.buf)+len(part) > maxLine; !long {
			l.buf = append(l.buf, part...)
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		if err == io.EOF && (len(l.buf) > 0 || long) {
			break // the last line has no end
		}
		if err != nil {
			return nil, err
		}
		break
	}
	l.number++
	if long {
		return nil, errLongLine
	}
	return bytes.TrimRight(l.buf, "\r\n"), nil
}

func (l *lines) decode(line []byte) (string, error) {
	switch {
	case isASCII(line):
		return string(line), nil
	case !l.cp1251 && utf8.Valid(line):
		l.utf8 = true
		return string(line), nil
	case l.utf8:
		return "", errNotUTF8
	}
	l.cp1251 = true
	text, err := charmap.Windows1251.NewDecoder().Bytes(line)
	if err != nil {
		return "", errNotUTF8
	}
	return string(text), nil
}

func isASCII(line []byte) bool {
	for _, b := range line {
		if b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// clean trims a cell and replaces control characters, which neither engine of
// the store nor a terminal wants, by spaces. Line ends and tabs inside stay.
func clean(s string) string {
	if strings.IndexFunc(s, isControl) >= 0 {
		s = strings.Map(func(r rune) rune {
			if isControl(r) {
				return ' '
			}
			return r
		}, s)
	}
	return strings.Trim(s, " \t\r\n\v\f\u0085\u00a0\u2007\u202f\u200b\ufeff")
}

func isControl(r rune) bool {
	return r < ' ' && r != '\n' && r != '\t' || r == 0x7f
}
