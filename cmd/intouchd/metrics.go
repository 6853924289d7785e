package main

import (
	"context"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"intouch/caldav"
	"intouch/exchange"
	"intouch/scheduler"
	"intouch/store"
)

// measures are what GET /metrics tells Prometheus, and only this machine: the
// names of mailboxes are in it. deploy/prometheus has alert rules and a
// dashboard for it.
type measures struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newMeasures(st *store.Store, workers func() []Part, jobs func() []scheduler.Tally, certificate func() time.Time, log *slog.Logger) *measures {
	m := &measures{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "intouch_http_requests_total",
			Help: "Requests answered, by part (dav, api, exchange, pages), method and status.",
		}, []string{"part", "method", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "intouch_http_request_duration_seconds",
			Help:    "Time from a request to the end of its answer, in seconds, by part and method.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"part", "method"}),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "intouch_build_info", Help: "Always 1: the version and commit that run."}, []string{"version", "revision"})
	build.WithLabelValues(version, revision()).Set(1)
	m.registry.MustRegister(m.requests, m.duration, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&records{st: st, workers: workers, jobs: jobs, certificate: certificate, log: log})
	return m
}

// handler answers /metrics.
func (m *measures) handler() http.Handler {
	answer := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 2, Timeout: 30 * time.Second})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLocal(r) {
			http.NotFound(w, r)
			return
		}
		answer.ServeHTTP(w, r)
	})
}

// counted counts what next answers; it stands below guarded, whose answer knows
// the status.
func (m *measures) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		part := partOf(r)
		if part == "" {
			next.ServeHTTP(w, r)
			return
		}
		started := time.Now()
		ended := false
		defer func() {
			status := http.StatusOK
			if a, ok := w.(*answer); ok && a.status != 0 {
				status = a.status
			} else if !ended { // it panicked
				status = http.StatusInternalServerError
			}
			m.requests.WithLabelValues(part, methodLabel(r.Method), strconv.Itoa(status)).Inc()
			m.duration.WithLabelValues(part, methodLabel(r.Method)).Observe(time.Since(started).Seconds())
		}()
		next.ServeHTTP(w, r)
		ended = true
	})
}

// partOf is the part that a request goes to, "" for those about the daemon
// itself.
func partOf(r *http.Request) string {
	p := r.URL.Path
	switch {
	case caldav.Handles(r):
		return "dav"
	case p == exchange.OneCPath:
		return "exchange"
	case strings.HasPrefix(p, "/api/"):
		return "api"
	case p == "/healthz" || p == "/readyz" || p == "/metrics" || strings.HasPrefix(p, "/debug/pprof/"):
		return ""
	}
	return "pages"
}

var knownMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "PROPPATCH", "REPORT", "MKCALENDAR", "MKCOL", "COPY", "MOVE"}

// methodLabel keeps strangers from making up ever new methods.
func methodLabel(method string) string {
	if slices.Contains(knownMethods, method) {
		return method
	}
	return "other"
}

// records tells what is in the database, read anew for each scrape.
type records struct {
	st      *store.Store
	workers func() []Part
	jobs    func() []scheduler.Tally
	// certificate tells when the one that is served ends, zero unknown.
	certificate func() time.Time
	log         *slog.Logger
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("intouch_"+name, help, labels, nil)
}

var (
	databaseUp       = describe("database_up", "1 while the database answers, else 0; then what is read from it is missing.")
	databaseFree     = describe("database_disk_free_bytes", "Room on the disk of the SQLite database, in bytes.")
	databaseLimit    = describe("database_disk_low_bytes", "Free bytes below which there is too little room.")
	partUp           = describe("part_up", "1 while a part of the daemon runs, 0 while it waits to be started again.", "part")
	mailboxUp        = describe("mailbox_up", "1 when the last pass over a mailbox succeeded, else 0.", "mailbox")
	mailboxSuccess   = describe("mailbox_last_success_timestamp_seconds", "When a mailbox was last read without error, in Unix seconds; of many mailboxes only intouch_mailbox_lag_seconds is told.", "mailbox")
	mailboxLetters   = describe("mailbox_letters", "Letters known of a mailbox, by outcome: captured as contacts, or not.", "mailbox", "outcome")
	certificateEnds  = describe("certificate_expiry_timestamp_seconds", "When the certificate that is served ends, in Unix seconds (tls mode files).")
	mailboxStates    = describe("mailboxes", "Mailboxes by state: ok, failing (the last pass failed), waiting (not yet read).", "state")
	mailboxLag       = describe("mailbox_lag_seconds", "Time since mailboxes were last read without error, in seconds; quantile 1 is the longest.")
	letters          = describe("letters", "Letters known of all mailboxes, by outcome: captured as contacts, or not.", "outcome")
	databaseSize     = describe("database_size_bytes", "Room that the database takes on its disk, in bytes.")
	databaseWritable = describe("database_writable", "0 while the database takes no writes (full disk, read-only, away), else 1.")
	databaseFaults   = describe("database_faults_total", "Transactions that failed because of the database, by fault.", "fault")
	databaseConns    = describe("database_connections", "Open connections to the database, by pool and state (idle, in_use).", "pool", "state")
	databaseWaits    = describe("database_connection_waits_total", "How often somebody waited for a connection, by pool.", "pool")
	databaseWaited   = describe("database_connection_wait_seconds_total", "Time waited for connections, in seconds, by pool.", "pool")
	outboxMails      = describe("outbox_mails", "Mails in the outbox by state (queued, sent, failed); sent and failed ones go after [clean_up] mail_days.", "state")
	outboxOldest     = describe("outbox_oldest_queued_seconds", "Age of the oldest mail that waits, in seconds; 0 without one.")
	outboxLocked     = describe("outbox_locked", "1 while nothing is sent from this database until \"intouchd outbox arm\", else 0.")
	jobLast          = describe("job_last_start_timestamp_seconds", "When the newest round of a job began, in Unix seconds.", "job")
	jobOutcome       = describe("job_last_outcome", "1 for the outcome of a job's newest round.", "job", "outcome")
	jobDuration      = describe("job_last_duration_seconds", "How long the newest finished round of a job took, in seconds.", "job")
	jobNext          = describe("job_next_start_timestamp_seconds", "When a job comes next, in Unix seconds.", "job")
	jobPanics        = describe("job_panics_total", "Panics of a job, ever.", "job")
	jobRounds        = describe("job_outcomes_total", "Outcomes of a job (failed, queued, done, empty …), one for each owner of each round, of this process.", "job", "outcome")
	jobSuccess       = describe("job_last_success_timestamp_seconds", "When the newest round of a job without failure ended in this process, in Unix seconds.", "job")
	recordsCollected = []*prometheus.Desc{certificateEnds, mailboxStates, mailboxLag, letters, databaseSize, databaseWritable, databaseFaults, databaseConns, databaseWaits, databaseWaited, jobRounds, jobSuccess, databaseUp, databaseFree, databaseLimit, partUp, mailboxUp, mailboxSuccess, mailboxLetters, outboxMails, outboxOldest, outboxLocked, jobLast, jobOutcome, jobDuration, jobNext, jobPanics}
)

// Describe implements prometheus.Collector.
func (r *records) Describe(to chan<- *prometheus.Desc) {
	for _, d := range recordsCollected {
		to <- d
	}
}

// Collect implements prometheus.Collector. What cannot be read is left out.
func (r *records) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	at := func(d *prometheus.Desc, t time.Time, labels ...string) {
		if !t.IsZero() {
			gauge(d, float64(t.Unix()), labels...)
		}
	}
	for _, w := range r.workers() {
		gauge(partUp, one(w.OK), w.Name)
	}
	if disk := r.st.Disk(); disk.Total > 0 {
		gauge(databaseFree, float64(disk.Free))
		gauge(databaseLimit, float64(disk.Limit()))
	}
	count := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	health := r.st.Health()
	gauge(databaseWritable, one(health.Fault == ""))
	for fault, n := range health.Faults {
		count(databaseFaults, float64(n), string(fault))
	}
	for _, p := range health.Pools {
		gauge(databaseConns, float64(p.InUse), p.Name, "in_use")
		gauge(databaseConns, float64(p.Idle), p.Name, "idle")
		count(databaseWaits, float64(p.WaitCount), p.Name)
		count(databaseWaited, p.WaitDuration.Seconds(), p.Name)
	}
	at(certificateEnds, r.certificate())
	for _, j := range r.jobs() {
		for outcome, n := range j.Outcomes {
			count(jobRounds, float64(n), j.Job, outcome)
		}
		at(jobSuccess, j.LastSuccess, j.Job)
	}
	up := true
	failed := func(what string, err error) bool {
		if err != nil {
			up = false
			r.log.Warn("metrics: not read", "what", what, "err", err)
		}
		return err != nil
	}
	if size, err := r.st.Size(ctx); !failed("size", err) {
		gauge(databaseSize, float64(size))
	}
	if boxes, err := r.st.MailboxStates(ctx); !failed("mailboxes", err) {
		r.mailboxes(to, boxes)
		if len(boxes) > mailboxSeries {
			boxes = nil
		}
		for _, b := range boxes {
			gauge(mailboxUp, one(b.LastError == "" && !b.LastSuccess.IsZero()), b.Name)
			at(mailboxSuccess, b.LastSuccess, b.Name)
			gauge(mailboxLetters, float64(b.Captured), b.Name, "captured")
			gauge(mailboxLetters, float64(max(0, b.Letters-b.Captured)), b.Name, "skipped")
		}
	}
	if out, err := r.st.Outbox(ctx, 1); !failed("outbox", err) {
		gauge(outboxMails, float64(out.Queued), "queued")
		gauge(outboxMails, float64(out.Sent), "sent")
		gauge(outboxMails, float64(out.Failed), "failed")
		age := 0.0
		if !out.OldestQueued.IsZero() {
			age = max(0, r.st.Now().Sub(out.OldestQueued).Seconds())
		}
		gauge(outboxOldest, age)
		gauge(outboxLocked, one(out.Locked != ""))
	}
	if jobs, err := r.st.JobStates(ctx); !failed("jobs", err) {
		for _, j := range jobs {
			at(jobLast, j.Last.Started, j.Name)
			if j.Last.Outcome != "" {
				gauge(jobOutcome, 1, j.Name, j.Last.Outcome)
			}
			if !j.Last.Finished.IsZero() && !j.Last.Finished.Before(j.Last.Started) {
				gauge(jobDuration, j.Last.Finished.Sub(j.Last.Started).Seconds(), j.Name)
			}
			at(jobNext, j.Next, j.Name)
			count(jobPanics, float64(j.Panics), j.Name)
		}
	}
	gauge(databaseUp, one(up))
}

// mailboxSeries is up to how many mailboxes each has its own series.
const mailboxSeries = 500

// mailboxes tells how all mailboxes do together, however many there are.
func (r *records) mailboxes(to chan<- prometheus.Metric, boxes []store.MailboxState) {
	var captured, skipped int64
	states := map[string]int{"ok": 0, "failing": 0, "waiting": 0}
	var lags []float64
	sum := 0.0
	now := r.st.Now()
	for _, b := range boxes {
		captured += b.Captured
		skipped += max(0, b.Letters-b.Captured)
		switch {
		case b.LastError != "":
			states["failing"]++
		case b.LastSuccess.IsZero():
			states["waiting"]++
		default:
			states["ok"]++
		}
		if !b.LastSuccess.IsZero() {
			lag := max(0, now.Sub(b.LastSuccess).Seconds())
			lags, sum = append(lags, lag), sum+lag
		}
	}
	for state, n := range states {
		to <- prometheus.MustNewConstMetric(mailboxStates, prometheus.GaugeValue, float64(n), state)
	}
	to <- prometheus.MustNewConstMetric(letters, prometheus.GaugeValue, float64(captured), "captured")
	to <- prometheus.MustNewConstMetric(letters, prometheus.GaugeValue, float64(skipped), "skipped")
	if len(lags) == 0 {
		return
	}
	slices.Sort(lags)
	quantiles := map[float64]float64{}
	for _, q := range []float64{0.5, 0.9, 0.99, 1} {
		quantiles[q] = lags[int(math.Ceil(q*float64(len(lags))))-1]
	}
	to <- prometheus.MustNewConstSummary(mailboxLag, uint64(len(lags)), sum, quantiles)
}

// one is how a yes is counted.
func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
