package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"regexp"
	"time"

	"golang.org/x/text/encoding/charmap"

	"intouch/store"
)

// file takes a part of a file. It counts only when it has come whole; with the
// part that ends the file its import begins, for old 1C never asks for it.
func (c *call) file() {
	if c.r.Method != http.MethodPost {
		c.fail("файл передаётся запросом POST")
		return
	}
	name, ok := c.filename()
	if !ok {
		return
	}
	if c.r.ContentLength > c.opt.MaxUpload {
		c.tooLong()
		return
	}
	select {
	case c.receive <- struct{}{}:
		defer func() { <-c.receive }()
	case <-time.After(answerWithin):
		c.fail("Intouch занят приёмом других файлов, повторите обмен через минуту")
		return
	case <-c.ctx.Done():
		return
	}
	part, err := c.st.BeginExchangePart(c.ctx, c.session, name, c.r.ContentLength, c.opt.MaxUpload)
	var hash string
	if err == nil {
		if hash, err = c.receivePart(part); err != nil {
			c.drop(part)
		}
	}
	switch {
	case errors.Is(err, store.ErrFull):
		c.w.Header().Set("Connection", "close")
		c.fail("файл " + name + " слишком велик, или слишком много файлов ещё не загружено: повторите обмен позже")
		return
	case errors.Is(err, store.ErrStale):
		c.fail("файл " + name + " передаётся ещё раз другим запросом")
		return
	case errors.Is(err, errHalfPart):
		c.fail("часть файла " + name + " пришла не полностью, передайте файл ещё раз")
		return
	case err != nil:
		c.broken("part of a file could not be kept", err)
		return
	}
	bytes := &chunks{ctx: c.ctx, st: c.st, id: part.FileID, size: part.Size}
	whole, entries, err := wholeFile(bytes)
	if err != nil {
		c.broken("file could not be looked at", err)
		return
	}
	id, err := c.st.EndExchangePart(c.ctx, part, hash, whole, entries)
	switch {
	case errors.Is(err, store.ErrStale):
		c.fail("файл " + name + " передаётся ещё раз другим запросом")
	case err != nil:
		c.broken("part of a file could not be kept", err)
	case whole:
		c.outcome(id, "success")
	default:
		c.say("success")
	}
}

// drop forgets what came of a part that did not come whole.
func (c *call) drop(part *store.ExchangePart) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), answerWithin)
	defer cancel()
	if err := c.st.DropExchangePart(ctx, part); err != nil && !errors.Is(err, store.ErrStale) {
		c.opt.Log.Warn("half a part could not be dropped", "err", err) // it goes with the session
	}
}

// errHalfPart: the request's body ended early.
var errHalfPart = errors.New("the part did not come whole")

// receivePart keeps the body of the request and gives its hash.
func (c *call) receivePart(part *store.ExchangePart) (string, error) {
	hash, buf, end := sha256.New(), make([]byte, store.MaxExchangeChunk), time.Now().Add(partTime)
	for {
		c.control(min(chunkTime, time.Until(end)))
		n, last, err := fill(c.r.Body, buf)
		if err != nil {
			return "", errHalfPart
		}
		if n > 0 {
			hash.Write(buf[:n])
			if err := c.st.AddExchangeChunk(c.ctx, part, buf[:n], c.opt.MaxUpload); err != nil {
				return "", err
			}
		}
		if last {
			return hex.EncodeToString(hash.Sum(nil)), nil
		}
	}
}

// fill reads until buf is full or r ends. Unlike io.ReadFull it tells an end
// from a body that breaks off, of which net/http says io.ErrUnexpectedEOF once
// and io.EOF from then on.
func fill(r io.Reader, buf []byte) (n int, last bool, err error) {
	for n < len(buf) {
		k, err := r.Read(buf[n:])
		n += k
		if err == io.EOF {
			return n, true, nil
		}
		if err != nil {
			return n, false, err
		}
	}
	return n, false, nil
}

// The end of a CommerceML file, in both encodings: its root's end tag, or a
// root that holds nothing.
var rootEnd, rootEnd1251 = func() (utf8, cp1251 *regexp.Regexp) {
	const name = "КоммерческаяИнформация"
	const end = `(</([^\s<>:]+:)?` + name + `\s*>|<([^\s<>:]+:)?` + name + `(\s[^<>]*)?/>)\s*$`
	narrow, err := charmap.Windows1251.NewEncoder().String(name)
	if err != nil {
		panic(err) // it is Russian
	}
	// Each byte above 127 as the code point of that number: bytes are searched
	// as if they were ISO 8859-1.
	return regexp.MustCompile(end), regexp.MustCompile(regexp.MustCompile(name).ReplaceAllLiteralString(end, latin(narrow)))
}()

// latin reads bytes as ISO 8859-1, in which every byte is a letter.
func latin(b string) string {
	r := make([]rune, len(b))
	for i := range len(b) {
		r[i] = rune(b[i])
	}
	return string(r)
}

// wholeFile reports whether a file has its end: an archive its directory,
// CommerceML the end of its root. entries are the files of an archive that will
// be read. An archive that is refused is whole, too: its import says why.
func wholeFile(f *chunks) (whole bool, entries []string, err error) {
	if f.size == 0 {
		return false, nil, nil
	}
	head, tail := make([]byte, 2), make([]byte, min(f.size, 1024))
	if _, err := f.ReadAt(tail, f.size-int64(len(tail))); err != nil {
		return false, nil, err
	}
	if _, err := f.ReadAt(head, 0); err != nil && err != io.EOF {
		return false, nil, err
	}
	if string(head) != "PK" {
		text := string(tail)
		return rootEnd.MatchString(text) || rootEnd1251.MatchString(latin(text)), nil, nil
	}
	a, err := openArchive(f)
	if f.fault != nil {
		return false, nil, f.fault
	}
	if err != nil {
		return !errors.Is(err, errNoArchive), nil, nil
	}
	for _, e := range a {
		entries = append(entries, e.name)
	}
	return true, entries, nil
}

// chunks is a file in the store as an io.ReaderAt, for one goroutine. It holds
// the piece that was read last.
type chunks struct {
	ctx   context.Context
	st    *store.Store
	id    int64
	size  int64
	at    int64
	body  []byte
	fault error // of the store: not to be taken for one of the file
}

func (f *chunks) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		pos := off + int64(n)
		if pos >= f.size {
			return n, io.EOF
		}
		if pos < f.at || pos >= f.at+int64(len(f.body)) {
			if f.at, f.body, err = f.st.ExchangeChunk(f.ctx, f.id, pos); err != nil {
				f.body, f.fault = nil, err
				return n, err
			}
			if pos >= f.at+int64(len(f.body)) {
				f.fault = io.ErrUnexpectedEOF
				return n, f.fault
			}
		}
		n += copy(p[n:], f.body[pos-f.at:min(int64(len(f.body)), f.size-f.at)])
	}
	return n, nil
}
