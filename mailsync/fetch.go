package mailsync

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// Bounds on what is asked of one letter. A header that is longer is read as
// far as it goes; a text, too.
const (
	fetchPart  = 512 << 10 // bytes of one text part, still transfer-encoded
	fetchParts = 1 << 20   // bytes of all text parts of a letter
	fetchWhole = 2 << 20   // bytes of a letter whose structure the server cannot tell
)

// envelope is what the first fetch tells of a letter.
type envelope struct {
	UID      uint32
	Internal time.Time // zero when the server could not tell
	Header   []byte
	Root     *Part // nil when the server could not tell
	Excluded bool  // it bears the keyword that keeps letters out (rule 2), or lies in a folder that does
	Private  bool  // it bears the keyword that makes its thread private
}

// excludingKeyword keeps a letter out of the program (rules.md section 3),
// privateKeyword its text from others than those who took part.
const (
	excludingKeyword = "nocrm"
	privateKeyword   = "private"
)

func hasKeyword(flags []imap.Flag, keyword string) bool {
	return slices.ContainsFunc(flags, func(f imap.Flag) bool { return strings.EqualFold(string(f), keyword) })
}

// detail says how much is asked of a letter at first. Servers stumble over
// some letters, and a single answer that the library cannot parse costs the
// whole connection (bench/IMAP.md, bite 1).
type detail int

const (
	withStructure detail = iota // header fields, BODYSTRUCTURE, INTERNALDATE, flags; text by its parts
	withWhole                   // header fields; text by parsing the letter here
	headerAlone                 // header fields, no text
	unreadable                  // nothing: the letter is filed as seen
)

// searchSlack is how many more letters than the folder has a search may name,
// since letters come and go while it runs.
const searchSlack = 1000

// search lists the UIDs from low to high (0: the last one), at most limit: the
// lowest of them, or the highest where the order is downwards. They are
// ascending. all tells how many there are. "n:*" always names the last letter,
// even one that is below n (RFC 9051 section 9, seq-range), so they are
// compared again.
func (s *session) search(low, high uint32, limit int, o order) (uids []uint32, all int, err error) {
	set := imap.UIDSet{imap.UIDRange{Start: imap.UID(low), Stop: imap.UID(high)}}
	ranges, err := s.uidSearch(&imap.SearchCriteria{UID: []imap.UIDSet{set}})
	if err != nil {
		return nil, 0, err
	}
	if high == 0 {
		high = ^uint32(0)
	}
	kept := ranges[:0]
	for _, r := range ranges {
		r.Start, r.Stop = max(r.Start, imap.UID(low)), min(r.Stop, imap.UID(high))
		if r.Start <= r.Stop {
			kept = append(kept, r)
			all += int(r.Stop-r.Start) + 1
		}
	}
	skip := 0
	if o == downwards {
		skip = max(0, all-limit)
	}
	for _, r := range kept {
		if n := int(r.Stop-r.Start) + 1; skip >= n {
			skip -= n
			continue
		}
		for uid := uint32(r.Start) + uint32(skip); len(uids) < limit; uid++ {
			uids = append(uids, uid)
			if uid == uint32(r.Stop) {
				break
			}
		}
		skip = 0
	}
	return slices.Compact(uids), all, nil
}

// uidSearch asks the server for letters: ascending ranges, of no more letters
// than the folder has.
func (s *session) uidSearch(criteria *imap.SearchCriteria) (imap.UIDSet, error) {
	var data *imap.SearchData
	err := s.do("search", func() (err error) {
		s.bounds.maxLine.Store(maxSearchLine)
		defer s.bounds.maxLine.Store(maxLine)
		var opt *imap.SearchOptions
		if s.caps.Has(imap.CapESearch) || s.caps.Has(imap.CapIMAP4rev2) {
			opt = &imap.SearchOptions{ReturnAll: true, ReturnCount: true} // ranges instead of numbers
		}
		data, err = s.client.UIDSearch(criteria, opt).Wait()
		if set, ok := data.All.(imap.UIDSet); err == nil && opt != nil && ok && len(set) == 0 {
			// No ESEARCH came, which would have left nil or letters. The library
			// drops one whose tag was spoilt on the way; taken for "none" it
			// would pass letters over.
			data, err = s.client.UIDSearch(criteria, nil).Wait()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if data.All == nil && data.Count != 0 {
		// The library passes over items of ESEARCH that it does not know.
		return nil, &stepError{"search", fmt.Errorf("the server counts %d letters and names none", data.Count)}
	}
	set, ok := data.All.(imap.UIDSet)
	if !ok && data.All != nil {
		return nil, &stepError{"search", errors.New("the server answered with sequence numbers")}
	}
	all := 0 // counted by ranges: a lying server may name four thousand million
	for i, r := range set {
		set[i] = imap.UIDRange{Start: min(r.Start, r.Stop), Stop: max(r.Start, r.Stop)}
		all += int(set[i].Stop-set[i].Start) + 1
	}
	if box := s.client.Mailbox(); box != nil && all > int(box.NumMessages)+searchSlack {
		return nil, &stepError{"search", fmt.Errorf("the server names %d letters of %d", all, box.NumMessages)}
	}
	slices.SortFunc(set, func(a, b imap.UIDRange) int { return cmp.Compare(a.Start, b.Start) })
	return set, nil
}

// partyFields are the header fields whose addresses decide.
var partyFields = []string{"From", "To", "Cc", "Bcc", "Reply-To", "Sender"}

// maxFound bounds what is taken from one search for an address or a keyword.
const maxFound = 100_000

// searchParties finds letters with one of the addresses, or of somebody at one
// of the domains, by the server's search. It finds more than those: a server
// compares substrings.
func (s *session) searchParties(addresses, domains []string, parents bool) (uids []uint32, err error) {
	var wanted []string
	for _, a := range addresses {
		local, _, _ := strings.Cut(a, "@")
		wanted = append(wanted, a, local+"+") // kim+shop@new.test is kim@new.test
	}
	for _, d := range domains {
		wanted = append(wanted, "@"+d)
		if parents {
			wanted = append(wanted, "."+d)
		}
	}
	for _, text := range wanted {
		var any imap.SearchCriteria
		for i, name := range partyFields {
			one := imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: name, Value: text}}}
			if i == 0 {
				any = one
			} else {
				any = imap.SearchCriteria{Or: [][2]imap.SearchCriteria{{any, one}}}
			}
		}
		set, err := s.uidSearch(&any)
		if err != nil {
			return nil, err
		}
		uids = appendUIDs(uids, set)
	}
	slices.Sort(uids)
	return slices.Compact(uids), nil
}

// appendUIDs appends the UIDs of a search, until there are maxFound.
func appendUIDs(uids []uint32, set imap.UIDSet) []uint32 {
	for _, r := range set {
		for uid := uint32(r.Start); len(uids) < maxFound; uid++ {
			uids = append(uids, uid)
			if uid >= uint32(r.Stop) {
				break
			}
		}
	}
	return uids
}

var headerSection = &imap.FetchItemBodySection{
	Specifier:    imap.PartSpecifierHeader,
	HeaderFields: HeaderFields,
	Partial:      &imap.SectionPartial{Offset: 0, Size: maxHeader},
	Peek:         true,
}

// envelopes fetches the headers and structures of the letters. Those that did
// not come are asked for once more: the answer may have been taken for
// somebody else's flag change (bite 2). What then is still missing is gone.
// budget bounds the bytes of headers; the letters from the first one on that
// no longer fitted are left out, and rest tells how many of uids they are.
// The result is in the order of uids.
func (s *session) envelopes(uids []uint32, how detail, budget int) (got []*envelope, rest int, err error) {
	have := make(map[uint32]*envelope, len(uids))
	ask := uids
	var over uint32 // the first letter that did not fit
	for try := 0; try < 2 && len(ask) > 0; try++ {
		err := s.do("fetch headers", func() error {
			return s.fetchEnvelopes(ask, how, func(e *envelope) {
				if budget -= len(e.Header) + e.Root.weight(); budget < 0 && len(have) > 0 {
					if over == 0 || e.UID < over {
						over = e.UID
					}
					return
				}
				have[e.UID] = e
			})
		})
		if err != nil {
			return nil, 0, err
		}
		ask = nil
		for _, uid := range uids {
			if have[uid] == nil && (over == 0 || uid < over) {
				ask = append(ask, uid)
			}
		}
	}
	for i, uid := range uids {
		if over != 0 && uid >= over {
			return got, len(uids) - i, nil
		}
		if e := have[uid]; e != nil {
			got = append(got, e)
		}
	}
	return got, 0, nil
}

func (s *session) fetchEnvelopes(uids []uint32, how detail, each func(*envelope)) error {
	opt := &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{s.header}, Flags: true}
	if how == withStructure {
		opt.BodyStructure = &imap.FetchItemBodyStructure{Extended: true}
		opt.InternalDate = true
	}
	cmd := s.client.Fetch(uidSet(uids), opt)
	for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
		e := &envelope{}
		complete := how != withStructure
		for item := msg.Next(); item != nil; item = msg.Next() {
			switch item := item.(type) {
			case imapclient.FetchItemDataUID:
				e.UID = uint32(item.UID)
			case imapclient.FetchItemDataInternalDate:
				e.Internal = item.Time
			case imapclient.FetchItemDataFlags:
				e.Excluded, e.Private = hasKeyword(item.Flags, excludingKeyword), hasKeyword(item.Flags, privateKeyword)
			case imapclient.FetchItemDataBodyStructure:
				e.Root = partOf(item.BodyStructure)
				complete = true
			case imapclient.FetchItemDataBodySection:
				b, err := readLiteral(item.Literal, maxHeader)
				if err != nil {
					return err
				}
				e.Header = b
			}
		}
		// Some servers leave items out when a letter vanishes meanwhile.
		if e.UID != 0 && e.Header != nil && complete {
			each(e)
		}
	}
	return cmd.Close()
}

// exist tells which of the letters are still there.
func (s *session) exist(uids []uint32) (there []uint32, err error) {
	err = s.do("search", func() error {
		data, err := s.client.UIDSearch(&imap.SearchCriteria{UID: []imap.UIDSet{uidSet(uids)}}, nil).Wait()
		if err != nil {
			return err
		}
		for _, uid := range uids {
			if set, ok := data.All.(imap.UIDSet); ok && set.Contains(imap.UID(uid)) {
				there = append(there, uid)
			}
		}
		return nil
	})
	return there, err
}

// errCut: the connection ended within a literal.
var errCut = errors.New("the answer is cut short")

// readLiteral reads at most limit bytes and drops the rest; nil for NIL. After
// an error its command must be left alone, not closed: the library would go on
// reading the literal beside its own reader. The end of the connection, which
// is what the error means, ends the command.
func readLiteral(r imap.LiteralReader, limit int64) ([]byte, error) {
	if r == nil {
		return nil, nil
	}
	// What the server says of the size is believed as far as most parts go.
	buf := bytes.NewBuffer(make([]byte, 0, min(r.Size(), limit, 64<<10)+bytes.MinRead))
	size, err := buf.ReadFrom(io.LimitReader(r, limit))
	if err != nil {
		return nil, err
	}
	if size == limit { // there may be more
		rest, err := io.Copy(io.Discard, r)
		if err != nil {
			return nil, err
		}
		size += rest
	}
	if size != r.Size() { // the library takes the end of the connection for that of the literal
		return nil, errCut
	}
	return buf.Bytes(), nil
}

func uidSet(uids []uint32) imap.UIDSet {
	var set imap.UIDSet
	for _, uid := range uids {
		set.AddNum(imap.UID(uid))
	}
	return set
}

// wish is what texts fetches of one letter.
type wish struct {
	UID   uint32
	Parts []*Part
}

// texts fetches the text parts of captured letters: for each UID the bodies by
// section, still transfer-encoded. Letters with the same sections share one
// command, and all commands are on their way at once. A letter that did not
// come whole is asked for once more, then taken as gone: it is missing in the
// result.
func (s *session) texts(ctx context.Context, wishes []wish) (map[uint32]map[string][]byte, error) {
	got := make(map[uint32]map[string][]byte, len(wishes))
	for try := 0; try < 2 && len(wishes) > 0; try++ {
		err := s.do("fetch texts", func() error { return s.fetchTexts(wishes, got) })
		if err != nil {
			return nil, err
		}
		wishes = slices.DeleteFunc(slices.Clone(wishes), func(w wish) bool {
			for _, p := range w.Parts {
				if _, ok := got[w.UID][p.Section()]; !ok {
					return false
				}
			}
			return true
		})
	}
	return got, ctx.Err()
}

func (s *session) fetchTexts(wishes []wish, got map[uint32]map[string][]byte) error {
	type group struct {
		uids  []uint32
		parts []*Part
	}
	groups := map[string]*group{}
	for _, w := range wishes {
		key := ""
		for _, p := range w.Parts {
			key += p.Section() + " " + strconv.FormatInt(p.Limit, 10) + " "
		}
		g := groups[key]
		if g == nil {
			g = &group{parts: w.Parts}
			groups[key] = g
		}
		g.uids = append(g.uids, w.UID)
	}
	var (
		mu   sync.Mutex
		wg   sync.WaitGroup
		errs []error
	)
	for _, g := range groups {
		opt := &imap.FetchOptions{UID: true}
		limit := int64(fetchParts / max(1, len(g.parts)))
		limit = min(limit, fetchPart)
		for _, p := range g.parts {
			size := limit
			if p.Limit > 0 {
				size = min(size, p.Limit)
			}
			opt.BodySection = append(opt.BodySection, &imap.FetchItemBodySection{
				Part: p.Path, Partial: &imap.SectionPartial{Offset: 0, Size: size}, Peek: true})
		}
		cmd := s.client.Fetch(uidSet(g.uids), opt)
		// Each command has a reader of its own: the connection stands still
		// until somebody reads what comes, in whatever order it comes.
		wg.Go(func() {
			err := collectTexts(cmd, limit, func(uid uint32, bodies map[string][]byte) {
				mu.Lock()
				defer mu.Unlock()
				if got[uid] == nil {
					got[uid] = bodies
					return
				}
				for section, b := range bodies {
					got[uid][section] = b
				}
			})
			if err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(errs) > 0 {
		return errs[0]
	}
	return nil
}

func collectTexts(cmd *imapclient.FetchCommand, limit int64, each func(uint32, map[string][]byte)) (err error) {
	defer recovered(&err)
	for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
		var uid uint32
		bodies := map[string][]byte{}
		for item := msg.Next(); item != nil; item = msg.Next() {
			switch item := item.(type) {
			case imapclient.FetchItemDataUID:
				uid = uint32(item.UID)
			case imapclient.FetchItemDataBodySection:
				part := Part{Path: item.Section.Part}
				// A part that the server does not find is NIL: read as empty.
				b, err := readLiteral(item.Literal, limit)
				if err != nil {
					return err
				}
				bodies[part.Section()] = b
			}
		}
		if uid != 0 {
			each(uid, bodies)
		}
	}
	return cmd.Close()
}

// whole fetches a letter as it is, as far as fetchWhole: for letters whose
// structure the server cannot tell. nil when it is gone.
func (s *session) whole(uid uint32) ([]byte, error) {
	var raw []byte
	err := s.do("fetch a letter", func() error {
		cmd := s.client.Fetch(uidSet([]uint32{uid}), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{
			{Partial: &imap.SectionPartial{Offset: 0, Size: fetchWhole}, Peek: true}}})
		for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
			for item := msg.Next(); item != nil; item = msg.Next() {
				if body, ok := item.(imapclient.FetchItemDataBodySection); ok {
					var err error
					if raw, err = readLiteral(body.Literal, fetchWhole); err != nil {
						return err
					}
				}
			}
		}
		return cmd.Close()
	})
	return raw, err
}

// partOf turns the library's structure into ours, as far as MaxParts and
// MaxDepth.
func partOf(bs imap.BodyStructure) *Part {
	left := MaxParts
	return partAt(bs, nil, MaxDepth, &left)
}

// usedParams are the parameters of a media type that anybody here asks for.
var usedParams = []string{"charset", "format", "delsp", "method", "report-type", "boundary", "protocol", "smime-type"}

// keptParams are those of them that are there: a stranger may send thousands,
// and a batch of structures is held at once.
func keptParams(all map[string]string) map[string]string {
	var kept map[string]string
	for _, name := range usedParams {
		if v, ok := all[name]; ok {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[name] = strings.Clone(clipText(v, 200))
		}
	}
	return kept
}

func partAt(bs imap.BodyStructure, path []int, depth int, left *int) *Part {
	if *left--; *left < 0 || depth == 0 {
		return nil
	}
	p := &Part{Path: path, Type: bs.MediaType()}
	var disposition map[string]string
	if d := bs.Disposition(); d != nil {
		p.Disposition, disposition = strings.ToLower(d.Value), d.Params
	}
	switch bs := bs.(type) {
	case *imap.BodyStructureMultiPart:
		if bs.Extended != nil {
			p.Params = keptParams(bs.Extended.Params)
		}
		for i, child := range bs.Children {
			if c := partAt(child, append(slices.Clip(path), i+1), depth-1, left); c != nil {
				p.Children = append(p.Children, c)
			}
		}
	case *imap.BodyStructureSinglePart:
		if len(path) == 0 {
			p.Path = []int{1}
		}
		p.Params = keptParams(bs.Params)
		p.Name = FileName(disposition, bs.Params)
		p.ID = contentID(p.Type, bs.ID)
		p.Encoding = strings.ToLower(bs.Encoding)
		p.Size = int64(bs.Size)
		if bs.Text != nil {
			p.Lines = int(bs.Text.NumLines)
		}
	default:
		panic(fmt.Sprintf("body structure %T", bs))
	}
	return p
}
