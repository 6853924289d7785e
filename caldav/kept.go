package caldav

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"intouch/store"
)

// keptAnswers are multistatus answers to what programs ask again and again in
// the same words, PROPFIND and sync-collection. They hold as long as nothing
// at all was committed; one change forgets them all, which is simpler to be
// sure of than what an answer depends on.
type keptAnswers struct {
	mu      sync.Mutex
	at      store.Generation
	size    int
	answers map[question]keptAnswer
}

// question is everything that an answer depends on beside the database.
type question [sha256.Size]byte

type keptAnswer struct {
	body    []byte
	minimal bool
}

const (
	maxKeptAnswer  = 2 << 20 // a listing of 8,000 entries
	maxKeptAnswers = 7 << 20
)

func (k *keptAnswers) get(q question, at store.Generation) (keptAnswer, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.at != at {
		return keptAnswer{}, false
	}
	a, ok := k.answers[q]
	return a, ok
}

// forget lets all answers go, before something is written: none of them will
// hold again, and what lies here makes the collector's work.
func (k *keptAnswers) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.at, k.size, k.answers = store.Generation{}, 0, nil
}

func (k *keptAnswers) put(q question, at store.Generation, a keptAnswer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.at != at || k.size+len(a.body) > maxKeptAnswers {
		k.at, k.size, k.answers = at, 0, map[question]keptAnswer{}
	}
	if old, ok := k.answers[q]; ok {
		k.size -= len(old.body)
	}
	k.size += len(a.body)
	k.answers[q] = a
}

// keeping is an answer on its way to be kept.
type keeping struct {
	question question
	at       store.Generation
	body     []byte
	too      bool // large
}

func (k *keeping) add(b []byte) {
	if k.too = k.too || len(k.body)+len(b) > maxKeptAnswer; k.too {
		k.body = nil
		return
	}
	k.body = append(k.body, b...)
}

// answeredBefore answers from memory where the same was asked in this state
// of the database, and else has the answer that is coming kept. body is the
// request's.
func (c *call) answeredBefore(body []byte) bool {
	at, ok := c.st.Generation(c.ctx)
	if !ok {
		return false
	}
	h := sha256.New()
	// The manager was read in an earlier state, and may be another now.
	fmt.Fprintf(h, "%d %d\n%s\n%q\n%q\n%q\n", c.manager.ID, c.manager.Version, c.r.Method, c.r.URL.Path, c.r.Header.Values("Depth"), c.r.Header.Values("Prefer"))
	h.Write(body)
	k := &keeping{at: at}
	h.Sum(k.question[:0])
	a, ok := c.kept.get(k.question, at)
	if !ok {
		c.keep = k
		return false
	}
	if a.minimal {
		c.w.Header().Set(preferenceApplied, returnMinimal)
	}
	c.w.Header().Set("Content-Type", xmlType)
	c.w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	c.w.WriteHeader(http.StatusMultiStatus)
	c.w.Write(a.body) // what fails here is the connection
	return true
}
