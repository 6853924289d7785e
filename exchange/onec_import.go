package exchange

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"time"

	"intouch/store"
)

// Bounds of the imports in the background.
const (
	importLease   = 30 * time.Second // an import that is not heard of for so long is begun anew, by anybody
	importTime    = time.Hour        // for one file
	importTries   = 10               // of a file whose importer dies each time
	internalTries = 3                // of a file that meets an error that is not its own
	maxRefused    = 4 << 20          // bytes of refused papers that are kept
	maxNoted      = 100              // faults that are kept
	lookAgain     = 250 * time.Millisecond
	cleanEvery    = time.Minute
)

// Run imports what 1C has sent, file by file, until ctx ends. Where several
// daemons run it, each file is imported by one of them.
func (o *OneC) Run(ctx context.Context) error {
	var cleaned time.Time
	for ctx.Err() == nil {
		changed := o.st.Changed() // before looking, so that nothing slips between
		f, err := o.st.ClaimExchangeFile(ctx, importLease)
		if err == nil {
			o.importFile(ctx, f)
			cleaned = time.Time{} // its bytes are of no more use
			continue
		}
		if ctx.Err() == nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("claim a file of 1C: %w", err)
		}
		if time.Since(cleaned) > cleanEvery {
			if err := o.st.CleanExchange(ctx); err != nil && ctx.Err() == nil {
				return err
			}
			cleaned = time.Now()
			continue
		}
		o.rest(ctx, changed)
	}
	return nil
}

// rest waits until something was committed, or a lease may have ended. It looks
// no more often than lookAgain, however much is committed.
func (o *OneC) rest(ctx context.Context, changed <-chan struct{}) {
	timer := time.NewTimer(importLease / 6)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return
	case <-timer.C:
		return
	case <-changed:
	}
	timer.Reset(lookAgain)
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// importing is the import of one file.
type importing struct {
	o       *OneC
	file    store.ExchangeFile
	refused *RefusedPapers
	left    int64 // bytes that may still be unpacked
	done    int   // papers of the entries before

	mu     sync.Mutex
	report store.ExchangeReport // what others may see
}

// importFile imports a file that was claimed, and notes how it went. What the
// import cannot do because the daemon stops is begun anew by the next one: the
// same papers change nothing.
func (o *OneC) importFile(ctx context.Context, f store.ExchangeFile) {
	log := o.opt.Log.With("integration", f.Integration, "file", f.Name, "id", f.ID)
	kept := &boundedBuffer{most: maxRefused}
	im := &importing{o: o, file: f, refused: NewRefusedPapers(kept), left: o.opt.MaxUpload}
	im.report.Entries = f.Report.Entries
	started := time.Now()

	work, cancel := context.WithTimeout(ctx, importTime)
	ended := make(chan struct{})
	var beat sync.WaitGroup
	beat.Go(func() { im.keep(work, cancel, ended) })
	var err error
	if f.Tries() > importTries {
		err = errTries
	} else {
		err = im.run(work)
	}
	close(ended)
	beat.Wait()
	timedOut := errors.Is(work.Err(), context.DeadlineExceeded)
	lost := work.Err() != nil && ctx.Err() == nil && !timedOut
	cancel()

	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	switch {
	case lost:
		log.Warn("the import of a file of 1C was taken over by another daemon")
		return
	case ctx.Err() != nil:
		if err := o.st.ReleaseExchangeFile(ending, f); err != nil {
			log.Warn("file of 1C could not be given back", "err", err) // its lease ends by itself
		}
		return
	case timedOut:
		err = errTime
	case err != nil && russianError(err) == "" && f.Tries() < internalTries:
		// It is not the file's fault, and 1C may not send it again.
		log.Error("file of 1C could not be imported, trying again", "try", f.Tries(), "again_in", importLease, "err", err)
		return // its lease ends by itself
	}
	if err := im.refused.Close(); err != nil { // a buffer takes all
		log.Error("refused papers could not be kept", "err", err)
	}
	f.Report, f.State = im.report, store.ExchangeDone
	if message, failed := summary(&f.Report, err); failed {
		f.State, f.Report.Message = store.ExchangeFailed, message
	} else {
		f.Report.Message = message
	}
	if err := o.st.FinishExchangeFile(ending, f, kept.Bytes()); err != nil {
		log.Error("outcome of a file of 1C could not be kept", "err", err) // it is imported again
		return
	}
	log.Info("file of 1C imported", "state", f.State, "papers", f.Report.Papers, "refused", f.Report.Refused(), "bytes", f.Size, "duration", time.Since(started).Round(time.Millisecond), "err", err)
}

// keep lengthens the claim and shows how far the import is, until it has ended.
func (im *importing) keep(ctx context.Context, lost context.CancelFunc, ended <-chan struct{}) {
	tick := time.NewTicker(importLease / 10)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		f := im.file
		im.mu.Lock()
		f.Report = im.report
		im.mu.Unlock()
		err := im.o.st.KeepExchangeFile(ctx, f, importLease)
		if errors.Is(err, store.ErrStale) {
			lost()
			return
		}
		if err != nil && ctx.Err() == nil {
			im.o.opt.Log.Warn("claim of a file of 1C could not be lengthened", "err", err) // there are more tries
		}
	}
}

// run imports the file, or each of an archive: one that cannot be read holds up
// none behind it.
func (im *importing) run(ctx context.Context) error {
	from := &chunks{ctx: ctx, st: im.o.st, id: im.file.ID, size: im.file.Size}
	head := make([]byte, 2)
	if _, err := from.ReadAt(head, 0); err != nil && err != io.EOF {
		return err
	}
	if string(head) != "PK" {
		err := im.one(ctx, io.NewSectionReader(from, 0, from.size))
		return cmp.Or(from.fault, err)
	}
	entries, err := openArchive(from)
	if err != nil {
		return cmp.Or(from.fault, err)
	}
	var first error
	for _, e := range entries {
		err := im.entry(ctx, e)
		if from.fault != nil || ctx.Err() != nil {
			return cmp.Or(from.fault, err)
		}
		if err != nil && first == nil {
			first = &entryError{e.name, err}
		}
		if im.left < 0 {
			break
		}
	}
	return first
}

// entryError is a fault in one file of an archive.
type entryError struct {
	name string
	err  error
}

func (e *entryError) Error() string { return e.name + ": " + e.err.Error() }
func (e *entryError) Unwrap() error { return e.err }

func (im *importing) entry(ctx context.Context, e entry) error {
	r, err := e.file.Open()
	if err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	defer r.Close()
	return im.one(ctx, &unpacking{r: r, in: int64(e.file.CompressedSize64), left: &im.left})
}

// one imports one file of CommerceML and adds it to the report.
func (im *importing) one(ctx context.Context, r io.Reader) error {
	sum, err := ImportCommerceML(ctx, im.o.st, CommerceMLOptions{
		Actor:    store.Actor{Origin: store.FromExchange, IntegrationID: im.file.IntegrationID},
		Currency: im.o.opt.Currency,
		Names:    im.o.opt.Names,
		Refused:  im.refused,
		Progress: func(papers int, bytes int64) {
			im.mu.Lock()
			defer im.mu.Unlock()
			im.report.Papers, im.report.Bytes = im.done+papers, bytes
		},
	}, r)
	im.mu.Lock()
	defer im.mu.Unlock()
	im.done += sum.Papers()
	p := &im.report
	p.Papers = im.done
	add(&p.Clients, sum.Clients)
	add(&p.Orders, sum.Orders)
	add(&p.Others, sum.Documents)
	p.Notes += sum.Notes
	p.Older += sum.Older
	p.LeftOut = maps.Clone(p.LeftOut) // the one before may be on its way into the store
	for what, n := range sum.LeftOut {
		if p.LeftOut == nil {
			p.LeftOut = map[string]int{}
		}
		if _, there := p.LeftOut[what]; there || len(p.LeftOut) < maxLeft {
			p.LeftOut[what] += n
		}
	}
	for _, fault := range sum.Faults {
		if len(p.Faults) < maxNoted {
			p.Faults = append(p.Faults, russianFault(fault))
		}
	}
	return err
}

func add(to *store.ExchangeCounts, from Summary) {
	to.New += from.New
	to.Changed += from.Changed
	to.Unchanged += from.Unchanged
	to.Kept += from.Kept
	to.Refused += from.Refused
}

// boundedBuffer keeps whole papers up to its bound.
type boundedBuffer struct {
	bytes.Buffer
	most int
}

// rootEndRoom is kept for the end of the document.
const rootEndRoom = 100

func (b *boundedBuffer) Write(p []byte) (int, error) {
	room := b.most - b.Len()
	if !strings.HasPrefix(string(p[:min(len(p), 2)]), "</") {
		room -= rootEndRoom
	}
	if len(p) > room {
		return len(p), nil // the record's counts tell that there were more
	}
	return b.Buffer.Write(p)
}
