package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Given tells where the next row stands and what it says. From then on rows
// that lack something are kept apart as questions; before, they are refused
// with a *Lacking.
func (im *Import) Given(g Given) { im.given = &g }

// keep puts a row, or keeps it apart when it lacks something. A row that is
// taken answers the question about its record.
func (im *Import) keep(kind QuestionKind, key string, row any, put func() (RowChange, error)) (RowChange, error) {
	change, err := put()
	var lack *Lacking
	switch {
	case err == nil:
		_, err = im.t.forgetKept(kind, key)
	case im.given != nil && errors.As(err, &lack):
		return im.keepRow(kind, key, asJSON(row), lack)
	}
	return change, err
}

// RowKept is the outcome of a row that was kept apart.
const RowKept RowChange = "kept"

func (im *Import) keepRow(kind QuestionKind, key, row string, lack *Lacking) (RowChange, error) {
	t := im.t
	given := ""
	if im.given.Text != nil {
		given = clip(clean(im.given.Text()), maxKeptRow)
	}
	if len(row) > maxKeptRow {
		return "", invalid(lack.Field, "%s, and the row is longer than %d kB, so it is not kept apart", lack.Invalid.Reason, maxKeptRow>>10)
	}
	open, err := t.openQuestions()
	if err != nil {
		return "", err
	}
	var id int64
	var before string
	err = t.row(`SELECT id, row FROM questions WHERE kind = $1 AND key = $2 AND row <> ''`, []any{string(kind), key}, &id, &before)
	if ignoreNotFound(err) != nil {
		return "", err
	}
	args := []any{string(lack.Reason), lack.until, asJSON(lack.Detail), row, given, clip(clean(im.given.File), 500), im.given.Line, t.now.Unix()}
	switch {
	case id == 0 && open >= maxQuestions:
		return "", invalid(lack.Field, "%s, and %d open questions are kept already", lack.Invalid.Reason, maxQuestions)
	case id == 0:
		*t.questions++
		_, err = t.exec(`INSERT INTO questions (reason, lacks, detail, row, given, file, line, at, kind, key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			append(args, string(kind), key)...)
	case before != row: // a newer row of the record
		_, err = t.exec(`UPDATE questions SET reason = $1, lacks = $2, detail = $3, row = $4, given = $5, file = $6, line = $7, at = $8 WHERE id = $9`, append(args, id)...)
	default: // the same again; what it lacks may be another thing now
		_, err = t.exec(`UPDATE questions SET reason = $1, lacks = $2, detail = $3 WHERE id = $4`, args[0], args[1], args[2], id)
	}
	return RowKept, err
}

// openQuestions is how many there are, counted once in a transaction, so that
// imports without any cost nothing.
func (t *tx) openQuestions() (int, error) {
	if t.questions == nil {
		n := 0
		if err := t.row(`SELECT COUNT(*) FROM questions`, nil, &n); err != nil {
			return 0, err
		}
		t.questions = &n
	}
	return *t.questions, nil
}

// forgetKept drops the kept row of a record, which a newer one replaces.
func (t *tx) forgetKept(kind QuestionKind, key string) (bool, error) {
	return t.dropQuestions(`kind = $1 AND key = $2 AND row <> ''`, string(kind), key)
}

func (t *tx) dropQuestions(where string, args ...any) (bool, error) {
	open, err := t.openQuestions()
	if err != nil || open == 0 {
		return false, err
	}
	n, err := t.exec(`DELETE FROM questions WHERE `+where, args...)
	*t.questions -= int(n)
	return n > 0, err
}

// arrived takes the rows that waited for a record that has just come.
func (im *Import) arrived(kind QuestionKind, key string) error {
	open, err := im.t.openQuestions()
	if err != nil || open == 0 {
		return err
	}
	_, _, err = im.answer(`lacks = $2`, waitsFor(kind, key))
	return err
}

// keptRow is a row kept apart, with what is needed to take it.
type keptRow struct {
	id         int64
	kind       QuestionKind
	row, given string
	file       string
	line       int
}

// answerPage is how many kept rows are in memory at once.
const answerPage = 200

// answer tries the kept rows of a condition again, whose first parameter is $2.
func (im *Import) answer(where string, args ...any) (taken, left int, err error) {
	before := im.given
	defer func() { im.given = before }()
	for after := int64(0); ; {
		var page []keptRow
		err := im.t.rows(`SELECT id, kind, row, given, file, line FROM questions WHERE id > $1 AND row <> '' AND `+where+fmt.Sprintf(` ORDER BY id LIMIT %d`, answerPage),
			append([]any{after}, args...), func(scan func(...any) error) error {
				var k keptRow
				if err := scan(&k.id, &k.kind, &k.row, &k.given, &k.file, &k.line); err != nil {
					return err
				}
				page = append(page, k)
				return nil
			})
		if err != nil || len(page) == 0 {
			return taken, left, err
		}
		for _, k := range page {
			after = k.id
			im.given = &Given{k.file, k.line, func() string { return k.given }}
			change, err := im.putKept(k)
			var fault *Invalid
			switch {
			case errors.As(err, &fault):
				left++
				_, err = im.t.exec(`UPDATE questions SET reason = $1, lacks = '', detail = $2 WHERE id = $3`,
					string(NotApplied), asJSON(QuestionDetail{Fault: fault.Error()}), k.id)
				if err != nil {
					return taken, left, err
				}
			case err != nil:
				return taken, left, err
			case change == RowKept:
				left++
			default:
				taken++
			}
		}
	}
}

// putKept takes a kept row as its kind is taken.
func (im *Import) putKept(k keptRow) (RowChange, error) {
	switch k.kind {
	case AboutDeal:
		return putJSON(im.Deal, k.row)
	case AboutEvent:
		return putJSON(im.Event, k.row)
	case AboutLine:
		return putJSON(im.Line, k.row)
	case AboutDocument:
		return putJSON(im.Document, k.row)
	case AboutContact:
		return putJSON(im.PutContact, k.row)
	case AboutNote:
		return putJSON(im.Note, k.row)
	}
	return "", invalid("kind", "%q is no kind of record", k.kind)
}

func putJSON[R any](put func(R) (RowChange, error), text string) (RowChange, error) {
	var row R
	if err := json.Unmarshal([]byte(text), &row); err != nil {
		return "", invalid("row", "cannot be read: %v", err)
	}
	return put(row)
}

// addUp remembers to compare a deal's or document's lines with its sum at the
// end of the transaction, when all of them are there.
func (im *Import) addUp(kind QuestionKind, id int64) {
	if im.sums == nil {
		im.sums = map[sumKey]Given{}
	}
	g := Given{}
	if im.given != nil {
		g = Given{File: im.given.File, Line: im.given.Line}
	}
	im.sums[sumKey{kind, id}] = g
}

type sumKey struct {
	kind QuestionKind
	id   int64
}

// CheckSums compares the sums of all deals and documents whose lines or sums
// were written with what their lines make, and notes what differs. Each line
// may be rounded by one minor unit. It tells how many more of such questions
// are open than before; Import calls it at its end.
func (im *Import) CheckSums() (more int, err error) {
	for _, k := range slices.SortedFunc(maps.Keys(im.sums), func(a, b sumKey) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.id, b.id)) }) {
		given := im.sums[k]
		table, column := "deals", "deal_id"
		if k.kind == AboutDocument {
			table, column = "documents", "document_id"
		}
		var key string
		var sum Money
		var lines, count int64
		err := im.t.row(`SELECT r.external_id, r.amount, r.currency, (SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM lines WHERE `+column+` = r.id),
			(SELECT COUNT(*) FROM lines WHERE `+column+` = r.id) FROM `+table+` r WHERE r.id = $1`,
			[]any{k.id}, textInto{&key}, &sum.Minor, &sum.Currency, &lines, &count)
		if errors.Is(err, ErrNotFound) {
			continue // withdrawn meanwhile
		}
		if err != nil {
			return more, err
		}
		var made *Money
		// Lines without sums say nothing.
		if off := lines - sum.Minor; lines != 0 && (off > count || off < -count) {
			made = &Money{lines, sum.Currency}
		}
		n, err := im.noteSums(k.kind, key, sum, made, given)
		if err != nil {
			return more, err
		}
		more += n
	}
	im.sums = nil
	return more + im.differing, nil
}

// noteSums opens or closes the question that a record's lines make another sum
// than it says; made is nil when they make the same. It gives the change in
// the number of open ones.
func (im *Import) noteSums(kind QuestionKind, key string, sum Money, made *Money, given Given) (int, error) {
	t := im.t
	had, err := t.dropQuestions(`kind = $1 AND key = $2 AND reason = $3`, string(kind), key, string(SumsDiffer))
	before := 0
	if had {
		before = 1
	}
	if err != nil || made == nil {
		return -before, err
	}
	if open, err := t.openQuestions(); err != nil || open >= maxQuestions {
		return -before, err // the record itself is there
	}
	text := ""
	if given.Text != nil {
		text = clip(clean(given.Text()), maxKeptRow)
	}
	*t.questions++
	_, err = t.exec(`INSERT INTO questions (kind, key, reason, detail, row, given, file, line, at) VALUES ($1, $2, $3, $4, '', $5, $6, $7, $8)`,
		string(kind), key, string(SumsDiffer), asJSON(QuestionDetail{Sum: &sum, Lines: made}), text, clip(clean(given.File), 500), given.Line, t.now.Unix())
	return 1 - before, err
}

// questionPage is how many questions are read at once.
const questionPage = 500

// Questions lists open questions, the oldest first: at most limit with an ID
// above after, all when limit is 0.
func (s *Store) Questions(ctx context.Context, after int64, limit int) (out []Question, err error) {
	err = s.read(ctx, func(t *tx) error {
		out, err = t.openQuestionsAfter(after, cmp.Or(limit, maxQuestions))
		return err
	})
	return out, err
}

// QuestionCount is how many questions are open.
func (s *Store) QuestionCount(ctx context.Context) (n int, err error) {
	err = s.read(ctx, func(t *tx) error {
		n, err = t.openQuestions()
		return err
	})
	return n, err
}

// EachQuestion calls fn for every open question, the oldest first.
func (s *Store) EachQuestion(ctx context.Context, fn func(*Question) error) error {
	return s.read(ctx, func(t *tx) error {
		for after := int64(0); ; {
			page, err := t.openQuestionsAfter(after, questionPage)
			if err != nil || len(page) == 0 {
				return err
			}
			for i := range page {
				if err := fn(&page[i]); err != nil {
					return err
				}
			}
			after = page[len(page)-1].ID
		}
	})
}

func (t *tx) openQuestionsAfter(after int64, limit int) ([]Question, error) {
	var out []Question
	err := t.rows(`SELECT id, kind, key, reason, detail, row = '', given, file, line, at FROM questions WHERE id > $1 ORDER BY id LIMIT $2`, []any{after, limit},
		func(scan func(...any) error) error {
			var q Question
			if err := scan(&q.ID, &q.Kind, &q.Key, &q.Reason, jsonInto{&q.Detail}, &q.Taken, &q.Given, &q.File, &q.Line, timeInto{&q.At}); err != nil {
				return err
			}
			out = append(out, q)
			return nil
		})
	return out, err
}

// ApplyQuestions tries all kept rows again: something may have come by a way
// that does not look for them.
func (s *Store) ApplyQuestions(ctx context.Context, actor Actor) (taken, left int, err error) {
	err = s.Import(ctx, actor, false, func(im *Import) error {
		taken, left, err = im.answer(`row <> $2`, "")
		return err
	})
	return taken, left, err
}

// DropQuestion gives a question up, and with it the row that it keeps, which
// stays in the history. Only heads and the program itself may; ErrNotFound.
func (s *Store) DropQuestion(ctx context.Context, actor Actor, id int64) error {
	return s.write(ctx, func(t *tx) error {
		if actor.ManagerID != 0 {
			m, err := t.manager("m.id = $1", actor.ManagerID)
			if err != nil {
				return err
			}
			if m.Role != RoleHead {
				return ErrForbidden
			}
		}
		found, err := t.openQuestionsAfter(id-1, 1)
		if err != nil {
			return err
		}
		if len(found) == 0 || found[0].ID != id {
			return ErrNotFound
		}
		q := found[0]
		if _, err := t.dropQuestions(`id = $1`, id); err != nil {
			return err
		}
		d := changes{}
		d.note(string(q.Kind), q.Key, "")
		d.note("reason", q.Text(English), "")
		d.note("row", q.Given, "")
		return t.remember(actor, "question", id, "dropped", d)
	})
}
