package exchange

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"time"

	"intouch/store"
)

// CommerceMLOptions say how to take a CommerceML file.
type CommerceMLOptions struct {
	Name     string // of the file, for messages
	Actor    store.Actor
	DryRun   bool   // everything is read, tried and rolled back
	Atomic   bool   // the whole file is one transaction: all papers or, with a refused one, none
	Currency string // of papers that name none; RUB when empty
	// Names of additional values; DefaultRequisites when zero.
	Names Requisites
	// Progress is told after each transaction how many papers and how many
	// bytes of the file are done; nil for nobody.
	Progress func(papers int, bytes int64)
	// Refused takes the papers that were refused; nil for nobody.
	Refused *RefusedPapers
}

// CommerceMLSummary is what an import of CommerceML did, or would have done.
type CommerceMLSummary struct {
	Clients, Orders, Documents Summary        // faults stand below
	Notes                      int            // papers of other kinds, kept in a history
	Older                      int            // papers of which a newer state came before; unchanged
	Faults                     []RowFault     // the first 1,000
	LeftOut                    map[string]int // elements and kinds of documents that are not kept
	UnknownManagers            []string       // named in orders, left out
}

// Kept is the number of papers that were kept apart as open questions.
func (s *CommerceMLSummary) Kept() int { return s.Orders.Kept + s.Documents.Kept }

// Differing is how many more orders are open whose lines make another sum.
func (s *CommerceMLSummary) Differing() int { return s.Orders.Differing }

// Papers is the number of orders and other documents that the file held, and
// of clients outside of them.
func (s *CommerceMLSummary) Papers() int {
	return s.Orders.Rows() + s.Documents.Rows() + s.Clients.Refused
}

// Refused is the number of papers that were refused.
func (s *CommerceMLSummary) Refused() int {
	return s.Clients.Refused + s.Orders.Refused + s.Documents.Refused
}

// ImportCommerceML takes a file that 1C wrote, of schema 2.03–2.10 or 3.1:
// clients, orders with their lines, payments and shipments; papers of other
// kinds become notes in the history of their deal or client. Papers with faults
// are refused one by one, those that only lack something are kept apart as open
// questions; the others are written, about 4 MB of the file in
// one transaction, or all in one when Atomic. Within that, orders come before the documents that refer to
// them. An error means that the import ended early; what was committed before
// stays, and the same file may be imported again.
func ImportCommerceML(ctx context.Context, st *store.Store, opt CommerceMLOptions, r io.Reader) (CommerceMLSummary, error) {
	if opt.Currency == "" {
		opt.Currency = "RUB"
	}
	opt.Names = opt.Names.orDefault()
	im := commerceImporter{opt: opt, st: st, known: map[string]knownPartner{}, taxes: map[string][]store.TaxNumber{}}
	err := im.run(ctx, r)
	if im.from != nil {
		im.sum.LeftOut = im.from.leftOut
		for name := range im.sheets.unknown {
			im.sum.UnknownManagers = append(im.sum.UnknownManagers, name)
		}
		slices.Sort(im.sum.UnknownManagers)
	}
	if err != nil && opt.Atomic { // nothing of it is there
		for _, sum := range []*Summary{&im.sum.Clients, &im.sum.Orders, &im.sum.Documents} {
			sum.none()
		}
		im.sum.Notes, im.sum.Older = 0, 0
	}
	if err != nil && opt.Name != "" {
		err = fmt.Errorf("%s: %w", opt.Name, err)
	}
	return im.sum, err
}

// maxKnown bounds the clients that one import remembers having written.
const maxKnown = 100_000

// commerceImporter is one ImportCommerceML on its way.
type commerceImporter struct {
	opt    CommerceMLOptions
	st     *store.Store
	tx     *store.Import // of an atomic import
	from   *commerceML
	sheets sheets
	ahead  *paper // read, but of the next transaction
	taxes  map[string][]store.TaxNumber
	known  map[string]knownPartner // by the key in the file
	seed   maphash.Seed
	batch  int // the transaction, from 0
	sum    CommerceMLSummary
}

// knownPartner is a client that this import has written: each order repeats it.
type knownPartner struct {
	key  string // of the client here
	hash uint64 // of what the file said
	// The transaction that wrote it: in a dry run it is there no longer than that.
	batch int
}

// sheet is a paper on its way into the store.
type sheet struct {
	*paper
	key   string
	kind  *Summary // that counts it
	rank  int      // within a transaction: those that others refer to are first
	take  taker
	fault error
}

func (im *commerceImporter) run(ctx context.Context, r io.Reader) error {
	from, err := openCommerceML(r)
	if err != nil {
		return err
	}
	im.from, im.seed = from, maphash.MakeSeed()
	im.sheets = sheets{from: from, names: im.opt.Names, currency: im.opt.Currency, managers: map[string]string{}, unknown: map[string]bool{}}
	if im.opt.Refused != nil {
		im.opt.Refused.root = from.root
	}
	managers, err := im.st.Managers(ctx)
	if err != nil {
		return err
	}
	for _, m := range managers {
		for _, name := range []string{m.Name, m.Login, m.ExternalID} {
			if name != "" {
				im.sheets.managers[foldWord(name)] = m.Login
			}
		}
	}
	if err := im.st.TaxNumbers(ctx, im.note); err != nil {
		return err
	}
	if !im.opt.Atomic {
		return im.batches(ctx)
	}
	return im.st.Import(ctx, im.opt.Actor, im.opt.DryRun, func(tx *store.Import) error {
		im.tx = tx
		if err := im.batches(ctx); err != nil {
			return err
		}
		if im.sum.Refused() > 0 {
			return ErrNoneTaken
		}
		return nil
	})
}

// batches takes the papers of the file, part by part.
func (im *commerceImporter) batches(ctx context.Context) error {
	for more := true; more; {
		var batch []sheet
		var err error
		if batch, more, err = im.read(ctx); err != nil {
			return err
		}
		if err := im.write(ctx, batch); err != nil {
			return err
		}
		if im.opt.Progress != nil {
			im.opt.Progress(im.sum.Papers(), im.from.in.count.n)
		}
		if more && !im.opt.Atomic {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(breath):
			}
		}
	}
	return nil
}

// note remembers whose a tax number is.
func (im *commerceImporter) note(n store.TaxNumber) {
	if n.INN = innOf(n.INN); n.INN != "" {
		im.taxes[n.INN] = append(im.taxes[n.INN], n)
	}
}

// read collects the papers of one transaction; a container stays whole unless
// it is far too long.
func (im *commerceImporter) read(ctx context.Context) (batch []sheet, more bool, err error) {
	size, boxes := 0, map[int]*cmlDoc{}
	for {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		p := im.ahead
		if im.ahead = nil; p == nil {
			if p, err = im.from.next(); errors.Is(err, io.EOF) {
				return im.sheetsOf(batch, boxes), false, nil
			} else if err != nil {
				return nil, false, err
			}
		}
		full := len(batch) >= BatchRows || size >= batchBytes
		same := len(batch) > 0 && p.container != 0 && p.container == batch[len(batch)-1].container
		if full && (!same || len(batch) >= 4*BatchRows || size >= 4*batchBytes) {
			im.ahead = p
			return im.sheetsOf(batch, boxes), true, nil
		}
		if d := p.document; d != nil && p.container != 0 && boxes[p.container] == nil {
			if _, order := d.operation(); order {
				boxes[p.container] = d
			}
		}
		size += len(p.raw)
		batch = append(batch, sheet{paper: p})
	}
}

// sheetsOf makes rows of the papers of one transaction and puts them into the
// order in which they refer to each other.
func (im *commerceImporter) sheetsOf(batch []sheet, boxes map[int]*cmlDoc) []sheet {
	out := batch[:0]
	for _, one := range batch {
		im.sheets.fault = nil
		if one.partner != nil {
			im.readPartner(&one)
		} else if !im.readDocument(&one, boxes[one.container]) {
			continue
		}
		one.fault = im.sheets.fault
		one.partner, one.document = nil, nil // only the rows are needed from here
		out = append(out, one)
	}
	slices.SortStableFunc(out, func(a, b sheet) int { return a.rank - b.rank })
	return out
}

func (im *commerceImporter) readPartner(one *sheet) {
	row := im.sheets.partner(one.partner)
	one.key, one.kind = row.ID, &im.sum.Clients
	one.take = func(tx *store.Import) (store.RowChange, error) {
		_, err := im.putPartner(tx, row)
		return "", err // putPartner counts
	}
}

// readDocument reports false for a paper that is not kept.
func (im *commerceImporter) readDocument(one *sheet, order *cmlDoc) bool {
	d := one.document
	kind, isOrder := d.operation()
	switch {
	case isOrder && foldWord(clean(d.Role)) == "покупатель":
		im.from.leave("Заказ товара, in which we buy")
		return false
	case isOrder:
		im.readOrder(one)
	case kind != "":
		im.readOther(one, kind, order)
	default:
		return im.readNote(one, order)
	}
	return true
}

// readNote reads a paper of a kind that is none of ours. It reports false for
// one that belongs to nobody, which is only counted.
func (im *commerceImporter) readNote(one *sheet, order *cmlDoc) bool {
	row, client := im.sheets.note(one.document, order)
	if im.sheets.fault != nil { // of the client: none to note it at
		im.sheets.fault, client = nil, nil
	}
	if row.ID == "" || row.Deal == "" && client == nil {
		im.from.leave(row.Title)
		return false
	}
	one.key, one.kind, one.rank = row.ID, &im.sum.Documents, 3
	one.take = func(tx *store.Import) (store.RowChange, error) {
		if client != nil {
			key, err := im.putPartner(tx, *client)
			if err != nil {
				return "", err
			}
			row.Client = key
		}
		change, err := tx.Note(row)
		if err == nil && change != store.RowKept {
			im.sum.Notes++
			return "", nil
		}
		return change, err
	}
	return true
}

func (im *commerceImporter) readOrder(one *sheet) {
	one.key, one.kind, one.rank = clean(one.document.ID), &im.sum.Orders, 1
	row, paid, shipped := im.sheets.order(one.document)
	rate := im.sheets.rate(one.document, row.Date, row.Amount.Currency)
	var client *store.PartnerRow
	if buyer := one.document.buyer(); buyer != nil {
		p := im.sheets.partner(buyer)
		client = &p
	}
	gone := row.Status == string(store.Cancelled)
	if client == nil && !gone {
		im.sheets.refuse("Контрагенты", "no buyer is among them")
	}
	if gone && im.sheets.fault != nil && row.ID != "" { // that it is gone is what matters
		im.sheets.fault, client = nil, nil
		row = store.OrderRow{Version: row.Version, DealRow: store.DealRow{ID: row.ID, Status: row.Status}}
	}
	third := im.from.third
	one.take = func(tx *store.Import) (store.RowChange, error) {
		if client != nil {
			key, err := im.putPartner(tx, *client)
			if err != nil {
				return "", err
			}
			row.Client = key
		}
		if err := putRate(tx, rate); err != nil {
			return "", err
		}
		change, err := tx.Order(row)
		if err != nil || change == store.RowOlder || gone {
			return change, err
		}
		for kind, f := range map[store.DocumentKind]flag{store.PaymentDoc: paid, store.ShipmentDoc: shipped} {
			c, err := im.putFlag(tx, row, kind, f, third && change != store.RowNew)
			if err != nil {
				return "", err
			}
			if change == store.RowUnchanged && c == store.RowChanged {
				change = c
			}
		}
		return change, nil
	}
}

// putFlag writes the payment or shipment that an order of schema 2 tells. Schema 3 has the real documents, which take its place.
func (im *commerceImporter) putFlag(tx *store.Import, order store.OrderRow, kind store.DocumentKind, f flag, real bool) (store.RowChange, error) {
	id := order.ID + "/" + string(kind)
	switch {
	case real || f.denied:
		return tx.Withdraw(id, store.Version{})
	case f.day == "" || f.sum.Minor == 0:
		return store.RowUnchanged, nil
	}
	c, err := tx.Document(store.DocumentRow{ID: id, Kind: kind, Number: f.number, Date: f.day, Deal: order.ID, Amount: f.sum, Tax: f.tax})
	if c == store.RowNew {
		c = store.RowChanged // of the order
	}
	return c, err
}

// readOther reads a payment, shipment, return or invoice; order is that of its
// container. What it refers to is the order's ID; some write the number.
func (im *commerceImporter) readOther(one *sheet, kind store.DocumentKind, order *cmlDoc) {
	row, void := im.sheets.document(one.document, kind)
	rate := im.sheets.rate(one.document, row.Date, row.Amount.Currency)
	version := im.sheets.version(one.document.Version)
	one.key, one.kind, one.rank = row.ID, &im.sum.Documents, 2
	if order != nil && (row.Deal == "" || row.Deal == clean(order.Number) || row.Deal == clean(order.Number1C)) {
		row.Deal = clean(order.ID)
	}
	var client *store.PartnerRow
	if buyer := one.document.buyer(); buyer != nil && row.Deal == "" && !void {
		p := im.sheets.partner(buyer)
		client = &p
	}
	one.take = func(tx *store.Import) (store.RowChange, error) {
		if void {
			return tx.Withdraw(row.ID, version)
		}
		if client != nil {
			key, err := im.putPartner(tx, *client)
			if err != nil {
				return "", err
			}
			row.Client = key
		}
		if err := putRate(tx, rate); err != nil {
			return "", err
		}
		return tx.NewestDocument(row, version)
	}
}

// putRate notes the rate that a paper states, where it states one.
func putRate(tx *store.Import, rate *store.RateRow) error {
	if rate == nil {
		return nil
	}
	return tx.RateOfDocument(*rate)
}

// putPartner writes a client unless this import did so already, counts it, and
// gives its key.
func (im *commerceImporter) putPartner(tx *store.Import, row store.PartnerRow) (string, error) {
	hash := maphash.Bytes(im.seed, fmt.Appendf(nil, "%q", []any{row.ClientRow, row.Persons, row.Version.Number}))
	before, there := im.known[row.ID]
	same := there && before.hash == hash
	if same && (!im.opt.DryRun || before.batch == im.batch) {
		return before.key, nil
	}
	number := store.TaxNumber{INN: innOf(row.Attributes[store.AttributeINN]), KPP: row.Attributes[store.AttributeKPP]}
	for _, n := range im.taxes[number.INN] {
		// A branch has the company's INN and a KPP of its own.
		if n.KPP == number.KPP || n.KPP == "" || number.KPP == "" {
			row.Found = n.ClientID
			break
		}
	}
	key, change, err := tx.Partner(row)
	if err != nil {
		return "", err
	}
	if !same {
		count(&im.sum.Clients, change)
	}
	if len(im.known) >= maxKnown {
		clear(im.known)
	}
	im.known[row.ID] = knownPartner{key, hash, im.batch}
	return key, nil
}

// count adds a row that was taken.
func count(s *Summary, change store.RowChange) {
	switch change {
	case store.RowNew:
		s.New++
	case store.RowChanged:
		s.Changed++
	case store.RowUnchanged, store.RowOlder:
		s.Unchanged++
	case store.RowKept:
		s.Kept++
	}
}

// write tries the papers in one transaction.
func (im *commerceImporter) write(ctx context.Context, batch []sheet) error {
	before := im.sum
	try := func(tx *store.Import) error {
		for i := range batch {
			one := &batch[i]
			if one.fault != nil {
				continue
			}
			tx.Given(store.Given{File: im.opt.Name, Line: one.line, Text: func() string { return string(one.raw) }})
			change, err := one.take(tx)
			var invalid *store.Invalid
			if err != nil && !errors.As(err, &invalid) {
				return fmt.Errorf("line %d: %w", one.line, err)
			}
			if one.fault = err; err == nil {
				count(one.kind, change)
				if change == store.RowOlder {
					im.sum.Older++
				}
			}
		}
		differing, err := tx.CheckSums()
		im.sum.Orders.Differing += differing
		return err
	}
	var err error
	if im.tx != nil {
		err = try(im.tx)
	} else {
		err = im.st.Import(ctx, im.opt.Actor, im.opt.DryRun, try)
	}
	if err != nil {
		im.sum = before // nothing of it is there
		return err
	}
	im.batch++
	return im.refuse(batch)
}

// refuse notes the papers that were not taken, in the order of the file.
func (im *commerceImporter) refuse(batch []sheet) error {
	slices.SortStableFunc(batch, func(a, b sheet) int { return a.line - b.line })
	for _, one := range batch {
		if one.fault == nil {
			continue
		}
		f := RowFault{Line: one.line, Key: one.key, Reason: one.fault.Error()}
		var invalid *store.Invalid
		if errors.As(one.fault, &invalid) {
			f.Field, f.Reason = invalid.Field, invalid.Reason
		}
		one.kind.Refused++
		if len(im.sum.Faults) < maxFaults {
			im.sum.Faults = append(im.sum.Faults, f)
		}
		if im.opt.Refused != nil {
			if err := im.opt.Refused.add(one.paper, f); err != nil {
				return fmt.Errorf("write refused papers: %w", err)
			}
		}
	}
	return nil
}
