package store

import (
	"errors"
	"strings"
	"time"
)

// Single meetings of a series that were moved or cancelled one by one.

// namesOccurrence reports whether of is a RECURRENCE-ID as Occurrence has it.
func namesOccurrence(of string) bool {
	_, err1 := time.Parse(time.RFC3339, of)
	_, err2 := ParseDate(of)
	return err1 == nil || err2 == nil
}

// noteOccurrence keeps what is newest of one meeting of a series.
func (t *tx) noteOccurrence(r *invitation, o Occurrence) error {
	if len(o.Of) > 40 || !namesOccurrence(o.Of) || !sane(o.When) {
		return nil
	}
	var was Revision
	var count int
	err := t.row(`SELECT sequence, stamp FROM invitation_occurrences WHERE uid = $1 AND client_id = $2 AND occurrence = $3`, []any{r.uid, r.client, o.Of}, &was.Sequence, timeInto{&was.Stamp})
	if errors.Is(err, ErrNotFound) {
		was = noRevision
		err = t.row(`SELECT COUNT(*) FROM invitation_occurrences WHERE uid = $1 AND client_id = $2`, []any{r.uid, r.client}, &count)
	}
	rev := o.Revision.bounded()
	if err != nil || count >= maxOccurrences || !rev.newer(was) {
		return err
	}
	_, err = t.exec(`INSERT INTO invitation_occurrences (uid, client_id, occurrence, sequence, stamp, cancelled, span) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (uid, client_id, occurrence) DO UPDATE SET sequence = $4, stamp = $5, cancelled = $6, span = $7`,
		r.uid, r.client, o.Of, rev.Sequence, unix(rev.Stamp), o.Cancelled, asJSON(o.When))
	return err
}

// occurrences are the single meetings that still differ from the series: a
// newer REQUEST for the whole series takes older ones back.
func (t *tx) occurrences(r *invitation) (out []Occurrence, err error) {
	err = t.rows(`SELECT occurrence, sequence, stamp, cancelled, span FROM invitation_occurrences WHERE uid = $1 AND client_id = $2 ORDER BY occurrence`, []any{r.uid, r.client},
		func(scan func(...any) error) error {
			var o Occurrence
			if err := scan(&o.Of, &o.Revision.Sequence, timeInto{&o.Revision.Stamp}, &o.Cancelled, jsonInto{&o.When}); err != nil {
				return err
			}
			if !r.request.newer(o.Revision) {
				out = append(out, o)
			}
			return nil
		})
	return out, err
}

// exceptions works out the recurrence with its single occurrences: EXDATE
// where one was taken away, RDATE where it was put.
func (t *tx) exceptions(r *invitation) error {
	r.said.Recurrence = r.said.Rule
	if r.said.Rule == "" {
		return nil
	}
	list, err := t.occurrences(r)
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(r.said.Rule)
	for _, o := range list {
		b.WriteString("\n" + dateLine("EXDATE", o.Of))
		switch {
		case o.Cancelled || o.When.IsZero():
		case o.When.AllDay:
			b.WriteString("\n" + dateLine("RDATE", string(o.When.First)))
		default:
			b.WriteString("\n" + dateLine("RDATE", o.When.Start.UTC().Format(time.RFC3339)))
		}
	}
	r.said.Recurrence = b.String()
	return nil
}

// dateLine is a content line of a moment or a day (RFC 5545 section 3.8.5).
func dateLine(name, of string) string {
	if t, err := time.Parse(time.RFC3339, of); err == nil {
		return name + ":" + t.UTC().Format("20060102T150405Z")
	}
	return name + ";VALUE=DATE:" + strings.ReplaceAll(of, "-", "")
}
