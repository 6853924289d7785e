package mailsync

import (
	"context"
	"slices"
	"time"

	"intouch/store"
)

// thread finds the clients of the conversation that a letter continues (rule
// 6): by its references, newest first; where it names none, by its subject.
func (m *mailbox) thread(ctx context.Context, h *Header, parties *store.Parties, captured map[string][]int64, subjects subjectThreads) ([]int64, error) {
	if clients := captured[h.Key]; len(clients) > 0 {
		return clients, nil
	}
	for _, ref := range slices.Backward(h.References) {
		if clients := captured[ref]; len(clients) > 0 {
			return clients, nil
		}
	}
	others := Outsiders(h, parties)
	if len(h.References) > 0 || !store.IsReply(h.Subject) || len(others) == 0 {
		return nil, nil // it names its thread, or does not look like an answer
	}
	if clients := subjects.find(h, others); len(clients) > 0 {
		return clients, nil
	}
	return m.st.ThreadBySubject(ctx, h.Subject, others, h.Date)
}

// subjectThreads are the captured letters of a batch by their bare subject.
type subjectThreads map[string][]subjectThread

type subjectThread struct {
	date      time.Time
	addresses []string
	clients   []int64
}

func (t subjectThreads) add(h *Header, clients []int64) {
	if bare := store.BareSubject(h.Subject); bare != "" {
		t[bare] = append(t[bare], subjectThread{h.Date, addressesOf(h), clients})
	}
}

// find looks for a letter of the thread that shares one of the addresses,
// which are not ours.
func (t subjectThreads) find(h *Header, addresses []string) []int64 {
	for _, c := range slices.Backward(t[store.BareSubject(h.Subject)]) {
		if age := h.Date.Sub(c.date); age < 0 || age > store.ThreadSpan {
			continue
		}
		if slices.ContainsFunc(c.addresses, func(a string) bool { return slices.Contains(addresses, a) }) {
			return c.clients
		}
	}
	return nil
}

func addressesOf(h *Header) []string {
	var out []string
	for _, a := range h.Addresses() {
		out = append(out, a.Addr)
	}
	return out
}
