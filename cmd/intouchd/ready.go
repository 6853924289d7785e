package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"intouch/store"
)

// Readiness is what /readyz answers. Ready, and the status 200, say only that
// requests can be served: a broken mailbox or mail server is shown, but a
// daemon with one still serves calendars and pages, and must not be taken out
// of a balancer for it.
type Readiness struct {
	Ready bool `json:"ready"`
	// NotOK names the parts that are not in order, at most listed mailboxes
	// among them.
	NotOK   []string `json:"not_ok"`
	Store   Part     `json:"store"`
	Workers []Part   `json:"workers"`
	// Mailboxes are all, or where there are many, listed ones of those not OK.
	Mailboxes      []MailboxPart `json:"mailboxes"`
	MailboxesTotal int           `json:"mailboxes_total"`
	MailboxesNotOK int           `json:"mailboxes_not_ok"`
	Outbox         OutboxPart    `json:"outbox"`
	Disk           *DiskPart     `json:"disk,omitempty"`
}

// Part of the daemon. Error is shown only to this machine.
type Part struct {
	Name  string `json:"name,omitempty"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// MailboxPart is one mailbox: OK once its last pass succeeded.
type MailboxPart struct {
	Part
	LastSuccess *time.Time `json:"last_success"`
	ErrorSince  *time.Time `json:"error_since,omitempty"`
	Letters     int64      `json:"letters"`
	Captured    int64      `json:"captured"`
}

// OutboxPart is not OK while the oldest waiting mail is older than an hour, the
// newest ones are not taken, or nothing is sent from this copy.
type OutboxPart struct {
	Part
	Queued int64      `json:"queued"`
	Sent   int64      `json:"sent"`
	Failed int64      `json:"failed"`
	Oldest *time.Time `json:"oldest_queued,omitempty"`
}

// DiskPart is the room for the database, in bytes; not OK when it is nearly
// used up. There is none where the database is elsewhere.
type DiskPart struct {
	Part
	Free int64 `json:"free"`
}

// mailWaits is how long a mail may wait before /readyz shows the outbox as
// not in order.
const mailWaits = time.Hour

// listed bounds the mailboxes of an answer that balancers ask for every few
// seconds.
const listed = 100

// readyHandler answers /readyz as JSON, or as lines of text for who accepts
// these.
func readyHandler(st *store.Store, workers func() []Part) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		ready := readiness(ctx, st)
		ready.Workers = workers()
		if !isLocal(r) {
			ready.hideErrors()
		}
		ready.summary()
		status := http.StatusOK
		if !ready.Ready {
			status = http.StatusServiceUnavailable
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Vary", "Accept")
		if strings.HasPrefix(r.Header.Get("Accept"), "text/plain") {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(status)
			io.WriteString(w, ready.text())
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		_ = enc.Encode(ready) // the client went away
	})
}

func readiness(ctx context.Context, st *store.Store) Readiness {
	r := Readiness{Mailboxes: []MailboxPart{}}
	failed := func(err error) Readiness {
		r.Ready, r.Store = false, Part{Error: err.Error()}
		return r
	}
	if err := st.Ping(ctx); err != nil {
		return failed(err)
	}
	states, err := st.MailboxStates(ctx)
	if err != nil {
		return failed(err)
	}
	for _, s := range states {
		r.Mailboxes = append(r.Mailboxes, MailboxPart{
			Part:        Part{Name: s.Name, OK: s.LastError == "" && !s.LastSuccess.IsZero(), Error: s.LastError},
			LastSuccess: moment(s.LastSuccess),
			ErrorSince:  moment(s.ErrorSince),
			Letters:     s.Letters,
			Captured:    s.Captured,
		})
	}
	out, err := st.Outbox(ctx, 10)
	if err != nil {
		return failed(err)
	}
	r.Outbox = OutboxPart{Queued: out.Queued, Sent: out.Sent, Failed: out.Failed, Oldest: moment(out.OldestQueued)}
	r.Outbox.OK = out.OldestQueued.IsZero() || st.Now().Sub(out.OldestQueued) < mailWaits
	if out.Locked != "" {
		r.Outbox.OK, r.Outbox.Error = false, lockReason(out.Locked)+"; nothing is sent before \"intouchd outbox arm\""
	}
	for _, m := range out.Recent {
		if r.Outbox.Error == "" && m.State == store.Queued && m.LastError != "" {
			r.Outbox.Error = m.LastError
			r.Outbox.OK = false
			break
		}
	}
	if disk := st.Disk(); disk.Total > 0 {
		r.Disk = &DiskPart{Part: Part{OK: !disk.Low()}, Free: disk.Free}
	}
	r.Ready, r.Store = true, Part{OK: true}
	if h := st.Health(); h.Fault != "" { // what only reads still serves
		r.Store = Part{Error: fmt.Sprintf("takes no writes since %s: %s", h.Since.Format(time.RFC3339), h.Fault)}
	}
	return r
}

// summary counts the mailboxes, leaves those in order out where there are many,
// and names what is not in order.
func (r *Readiness) summary() {
	r.NotOK = []string{}
	name := func(ok bool, what string) {
		if !ok {
			r.NotOK = append(r.NotOK, what)
		}
	}
	name(r.Store.OK, "store")
	for _, w := range r.Workers {
		name(w.OK, w.Name)
	}
	if !r.Ready {
		return // nothing else is known
	}
	name(r.Outbox.OK, "outbox")
	name(r.Disk == nil || r.Disk.OK, "disk")
	failing := []MailboxPart{}
	for _, m := range r.Mailboxes {
		if !m.OK {
			r.MailboxesNotOK++
			if len(failing) < listed {
				failing = append(failing, m)
				name(false, "mailbox "+m.Name)
			}
		}
	}
	if r.MailboxesTotal = len(r.Mailboxes); r.MailboxesTotal > listed {
		r.Mailboxes = failing
	}
}

// text is a line for each part that is not in order, after one that says
// whether requests can be served.
func (r *Readiness) text() string {
	out := "ready\n"
	if !r.Ready {
		out = "not ready\n"
	}
	errs := map[string]string{"store": r.Store.Error, "outbox": r.Outbox.Error}
	for _, w := range r.Workers {
		errs[w.Name] = w.Error
	}
	for _, m := range r.Mailboxes {
		errs["mailbox "+m.Name] = m.Error
	}
	for _, part := range r.NotOK {
		out += "not ok: " + strconv.Quote(part)
		if errs[part] != "" {
			out += ": " + strconv.Quote(errs[part])
		}
		out += "\n"
	}
	return out
}

func (r *Readiness) hideErrors() {
	r.Store.Error, r.Outbox.Error = "", ""
	for i := range r.Workers {
		r.Workers[i].Error = ""
	}
	for i := range r.Mailboxes {
		r.Mailboxes[i].Error = ""
	}
}

// isLocal reports whether the request comes from this machine itself and not
// through a proxy on it.
func isLocal(r *http.Request) bool {
	if r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
		return false
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func (p *program) readyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ready",
		Short: "Ask the daemon of the settings whether it is ready",
		Long: "Prints what /readyz of the daemon answers that serves by these settings on this machine, as JSON. Exit code 0 when it\n" +
			"is ready, 1 when it is not or does not answer within 10 seconds.",
		Args: takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.config()
			if err != nil {
				return err
			}
			answer, ready, err := askReady(cmd.Context(), cfg.Server)
			if err != nil {
				return fmt.Errorf("ask the daemon: %w", err)
			}
			p.out.Write(answer)
			if !ready {
				return errReported
			}
			return nil
		},
	}
}

// askReady asks the daemon on this machine for /readyz.
func askReady(ctx context.Context, s Server) (answer []byte, ready bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	public, err := url.Parse(s.PublicURL)
	if err != nil {
		return nil, false, err
	}
	scheme := "http"
	if s.TLS.Mode != "off" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(s.Listen)
	if err != nil {
		return nil, false, err
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1" // not localhost: an image from scratch has no /etc/hosts
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return nil, false, err
	}
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		// Nothing secret is said, and the certificate is the public name's.
		TLSClientConfig: &tls.Config{ServerName: public.Hostname(), InsecureSkipVerify: true},
	}}
	got, err := client.Do(r)
	if err != nil {
		return nil, false, err
	}
	defer got.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(got.Body, 16<<20))
	return answer, got.StatusCode == http.StatusOK, err
}

// moment is null in JSON where there is none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
